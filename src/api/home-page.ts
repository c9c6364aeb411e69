// The pages at / (where the API is, and a query to try) and at /rate (where rater links lead). No script or style comes
// from elsewhere.

const QUERY = `{
  models(first: 10) { nodes { id name subjectLabel simulated voxels } }
  paintJobs(first: 5) { nodes { id state stepsDone stepsTotal paintings { url } } }
}`;

export const HOME_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MindPainter</title></head>
<body>
<h1>MindPainter</h1>
<p>The GraphQL API is at <code>/graphql</code>; subscriptions use the graphql-ws protocol at the same address.</p>
<form id="form">
<p><label for="query">Query</label></p>
<p><textarea id="query" rows="8" cols="100">${QUERY}</textarea></p>
<p><button>Run</button></p>
</form>
<pre id="answer" aria-live="polite"></pre>
<script>
document.getElementById('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const query = document.getElementById('query').value;
  const answer = document.getElementById('answer');
  try {
    const response = await fetch('/graphql', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }),
    });
    answer.textContent = JSON.stringify(await response.json(), null, 2);
  } catch (error) {
    answer.textContent = 'The server does not answer: ' + error.message;
  }
});
</script>
</body></html>
`;

/**
 * A rater link is /rate#secret: what follows the # never reaches a log or a proxy. The session starts with the button, not
 * with the visit, so that a chat program that looks at links uses nothing up.
 */
export const RATER_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>MindPainter: rate</title></head>
<body>
<h1>MindPainter</h1>
<p>This link is yours alone. Please do not pass it on.</p>
<form id="form"><p><button>Start</button></p></form>
<p id="answer" role="status"></p>
<script>
const secret = location.hash.slice(1);
document.getElementById('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const answer = document.getElementById('answer');
  const query = 'mutation($secret: String!) { signIn(input: { secret: $secret }) { viewer { user { name } } userErrors { message } } }';
  try {
    const response = await fetch('/graphql', {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { secret } }),
    });
    const { viewer, userErrors } = (await response.json()).data.signIn;
    history.replaceState(null, '', location.pathname);
    answer.textContent = viewer ? 'You are signed in as ' + viewer.user.name + '.' : userErrors[0].message;
  } catch (error) {
    answer.textContent = 'The server does not answer: ' + error.message;
  }
});
</script>
</body></html>
`;
