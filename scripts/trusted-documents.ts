// Writes src/generated/trusted-documents.json: the documents of our pages, guides and clients by their sha256.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createManifest } from '../src/api/trusted-documents.js';
import { clientDocuments, guideDocuments } from './own-documents.js';

const FILE = 'src/generated/trusted-documents.json';

const manifest = createManifest([...guideDocuments(), ...clientDocuments()].map(({ text }) => text));
const text = `${JSON.stringify(manifest, null, 2)}\n`;
if (!existsSync(FILE) || readFileSync(FILE, 'utf8') !== text) writeFileSync(FILE, text);
process.stdout.write(`${Object.keys(manifest).length} documents in ${FILE}\n`);
