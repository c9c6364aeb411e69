// The GraphQL documents of our own texts and programs: guides, README, pages and clients, as they stand there.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

export interface OwnDocument {
  /** File and line. */
  readonly place: string;
  readonly text: string;
}

const START = /\b(?:query|mutation|subscription)\b[ \w]*(?:\([^)]*\))?\s*\{|gql '\{|`\{(?= *\n)/gm;

/** Without what Python and shell put around it: pieces in a row, places for a selection, escaped quotes. */
const plain = (text: string) =>
  text
    .replace(/ ?"\n *"/g, ' ')
    .replaceAll('%s', '__typename')
    .replaceAll('\\"', '"');

/** The operations in a text: from each keyword to the brace that closes its selection. */
function operationsIn(file: string): OwnDocument[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found: OwnDocument[] = [];
  for (const { 0: head, index } of text.matchAll(START)) {
    const start = index + (/^gql|^`/.exec(head) ? head.length - 1 : 0);
    let end = index + head.length;
    for (let open = 1; open > 0 && end < text.length; end++) {
      if (text[end] === '{') open++;
      if (text[end] === '}') open--;
    }
    const line = text.slice(0, index).split('\n').length;
    // What a shell or a template puts in between stands for a value.
    found.push({ place: `${file}:${line}`, text: plain(text.slice(start, end)) });
  }
  return found;
}

const filesIn = (folder: string, ending: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

const guideFiles = () => ['README.md', ...filesIn('docs/guides', '.md')];
const programFiles = () => ['src/web/home.ts'];
const operationFiles = () => filesIn('src', '.graphql');

/** The files that documents are taken from, by their paths in the repository. */
export const documentFiles = (): string[] => [...guideFiles(), ...programFiles(), ...operationFiles()].sort();

/** Every operation of the README and the guides. */
export const guideDocuments = (): OwnDocument[] => guideFiles().flatMap(operationsIn);

/** The files of operations of a folder are one document, with their fragments. */
const operationFolders = (): OwnDocument[] =>
  [...new Set(operationFiles().map(dirname))].map((folder) => ({
    place: folder,
    text: operationFiles()
      .filter((file) => dirname(file) === folder)
      .map((file) => readFileSync(join(ROOT, file), 'utf8'))
      .join('\n'),
  }));

/** Every operation that our pages and programs send. */
export const clientDocuments = (): OwnDocument[] => [
  ...programFiles().flatMap(operationsIn),
  ...operationFolders(),
];
