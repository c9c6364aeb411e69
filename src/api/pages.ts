// The pages for people: / and /rate, with their scripts and styles under /web, as scripts/bundle-pages.ts wrote them.

import { fileURLToPath } from 'node:url';
import express, { type RequestHandler, Router } from 'express';

const FOLDER = fileURLToPath(new URL('../generated/web', import.meta.url));

/** Nothing from elsewhere, nothing inline, in nobody's frame; and no link tells where it was followed. */
const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  // Asked for each time and sent when it has changed: a page never runs with another version's script.
  'Cache-Control': 'no-cache',
};

const page =
  (name: string): RequestHandler =>
  (_, response) =>
    response.set(HEADERS).sendFile(name, { root: FOLDER, cacheControl: false, lastModified: false });

export function createPageRouter(): Router {
  const router = Router();
  router.get('/', page('home.html'));
  router.get('/rate', page('rate.html'));
  // A person who opens the API's address wants a page; programs ask for JSON, or send a query.
  router.get('/graphql', (request, response, next) => {
    const wantsPage = request.query.query === undefined && request.accepts(['json', 'html']) === 'html';
    if (wantsPage) response.redirect('/');
    else next();
  });
  router.use(
    '/web',
    express.static(FOLDER, {
      index: false,
      redirect: false,
      cacheControl: false,
      setHeaders: (response) => void response.set(HEADERS),
    }),
  );
  return router;
}
