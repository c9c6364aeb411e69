// The page at /: where the API is, the studies, and a place to try documents.

import { HomeStudiesDocument } from '../generated/web-operations.js';
import { ask } from './api.js';
import { button, byId, h } from './dom.js';

const QUERY = `{
  models(first: 10) { nodes { id name subjectLabel simulated voxels } }
  paintJobs(first: 5) { nodes { id state stepsDone stepsTotal paintings { url } } }
}`;

/** Filled in with a study's id; what is run shows the links this once. */
const INVITE = `mutation {
  inviteStudyRaters(input: { studyId: "STUDY", count: 1, expiresInDays: 30 }) {
    invitations { raterName path }
    userErrors { code message field }
  }
}`;

const query = byId('query') as HTMLTextAreaElement;
const answer = byId('answer');
query.value = QUERY;

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: query.value }),
    });
    answer.textContent = JSON.stringify(await response.json(), null, 2);
  } catch (error) {
    answer.textContent = `The server does not answer: ${(error as Error).message}`;
  }
});

/** The studies, for those who may know of them; others see nothing here. */
async function showStudies(): Promise<void> {
  const { studies } = await ask(HomeStudiesDocument, {});
  const rows = studies.nodes.map(({ id, name, state, progress }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      h('td', {}, state.toLowerCase()),
      h('td', {}, `${progress.answered} of ${progress.screens} screens`),
      h('td', {}, `${progress.seatsTaken} of ${progress.seats} places, ${progress.seatsFinished} finished`),
      h(
        'td',
        {},
        button(
          'Rater link',
          () => {
            query.value = INVITE.replace('STUDY', id);
            query.scrollIntoView({ block: 'center' });
            query.focus();
          },
          { ariaLabel: `Rater link for ${name}`, disabled: state === 'CLOSED' || state === 'UNSEALED' },
        ),
      ),
    ),
  );
  if (rows.length === 0) return;
  byId('studies').replaceChildren(...rows);
  byId('studies-part').hidden = false;
}

showStudies().catch(() => {});
