// Reads ahead what the jobs of a page lead to, before graphql-js walks them: its thousands of fields are then plain values. A
// promise for each of them, and a statement for each level, took most of a page's time (bench/results.md).

import type { FieldNode, FragmentDefinitionNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import type { PaintJob } from '../generated/prisma/client.js';
import { readSurroundings } from '../services/paint-job-surroundings.js';
import type { Loader } from './batches.js';
import type { ApiContext } from './context.js';

type Fields = ReadonlyMap<string, readonly FieldNode[]>;

/** The fields below some nodes, by name. What a directive may leave out is left out here. */
function fieldsBelow(
  nodes: readonly FieldNode[],
  fragments: Readonly<Record<string, FragmentDefinitionNode>>,
): Fields {
  const fields = new Map<string, FieldNode[]>();
  // Each fragment once: those within others could otherwise make this walk as long as a client likes.
  const seen = new Set<string>();
  const add = ({ selections }: SelectionSetNode) => {
    for (const node of selections) {
      if (node.directives?.length) continue;
      if (node.kind === 'Field') {
        const { value } = node.name;
        fields.set(value, [...(fields.get(value) ?? []), node]);
      } else if (node.kind === 'InlineFragment') {
        add(node.selectionSet);
      } else if (!seen.has(node.name.value)) {
        seen.add(node.name.value);
        add(fragments[node.name.value]!.selectionSet);
      }
    }
  };
  for (const { selectionSet } of nodes) if (selectionSet) add(selectionSet);
  return fields;
}

/**
 * The page, once what the document asks of its jobs is kept in their loaders. What is not read here is read when graphql-js comes to
 * it, and so is what failed: the field then tells why.
 */
export async function readAheadOfJobs<P extends { readonly nodes: readonly PaintJob[] }>(
  { loaders, services }: ApiContext,
  { fieldNodes, fragments }: GraphQLResolveInfo,
  page: P,
): Promise<P> {
  const below = (nodes: readonly FieldNode[] = []) => fieldsBelow(nodes, fragments);
  const list = below(fieldNodes);
  const job = below([...(list.get('nodes') ?? []), ...(below(list.get('edges')).get('node') ?? [])]);
  const asked = {
    images: job.has('sourceImage'),
    trials: job.has('trials'),
    sessions: below(job.get('trials')).has('fmriSession'),
    paintings: job.has('paintings'),
  };
  if (page.nodes.length === 0 || !Object.values(asked).includes(true)) return page;
  const read = await readSurroundings(services, page.nodes, asked).catch(() => undefined);
  if (!read) return page;
  for (const image of read.images ?? []) loaders.SourceImage.keep(image.id, image);
  for (const { subject, ...session } of read.sessions ?? []) {
    loaders.FmriSession.keep(session.id, session);
    loaders.Subject.keep(subject.id, subject);
  }
  keepLists(loaders.trialsOfJob, page.nodes, read.trials);
  keepLists(loaders.paintingsOfJob, page.nodes, read.paintings);
  return page;
}

/** Keeps each job's rows, in their order, also where there are none. */
function keepLists<Row extends { readonly jobId: string }>(
  loader: Loader<Row[]>,
  jobs: readonly PaintJob[],
  rows: readonly Row[] | null,
): void {
  if (!rows) return;
  const lists = new Map<string, Row[]>(jobs.map(({ id }) => [id, []]));
  for (const row of rows) lists.get(row.jobId)!.push(row);
  for (const [id, list] of lists) loader.keep(id, list);
}
