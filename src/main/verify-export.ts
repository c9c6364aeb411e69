// npm run verify:export -- FILE: whether a study's export.json is as it was recorded. Ends with 1 where it is not.

import { readFile } from 'node:fs/promises';
import { EXPORT_FORMAT } from '../services/study-export.js';
import { type ExportedStudy, verifyExport } from '../services/study-verification.js';

const [path] = process.argv.slice(2);
if (!path) {
  console.error('usage: npm run verify:export -- FILE (the export.json of a study)');
  process.exit(2);
}
const exported = await readFile(path, 'utf8')
  .then((text) => JSON.parse(text) as ExportedStudy & { format?: string })
  .catch((error: Error) => {
    console.error(`${path} cannot be read: ${error.message}`);
    process.exit(2);
  });
if (exported.format !== EXPORT_FORMAT) {
  console.error(`${path} is no export of the format ${EXPORT_FORMAT}`);
  process.exit(2);
}
const { events, raters, root, faults } = verifyExport(exported);
for (const fault of faults.slice(0, 20)) console.error(fault);
if (faults.length > 20) console.error(`and ${faults.length - 20} more`);
console.log(
  `${events} events of ${raters} raters, root ${root}: ${faults.length === 0 ? 'verified' : 'NOT as recorded'}`,
);
if (faults.length > 0) process.exitCode = 1;
