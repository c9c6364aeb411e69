// The page at /: where the API is, and a query to try. No script or style comes from elsewhere.

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
