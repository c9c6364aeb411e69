// What GraphQL over HTTP asks for and Apollo does otherwise. The public audit suite runs against it in test/api.

import type { ApolloServerPlugin, BaseContext } from '@apollo/server';
import type { RequestHandler } from 'express';
import { isOwnRequest } from './identity.js';

const JSON_TYPE = 'application/json';
const RESPONSE_TYPE = 'application/graphql-response+json';

/**
 * Says that no answer may be kept: another may ask next. Narrows Accept to the one type that will be answered, and lets programs ask by GET. Apollo wants a header of every GET that
 * makes a browser ask for permission first. Here it is spared those that no browser says come from another site, by the same
 * rule that decides who is the local user: what a browser too old to say so sends for another site comes without a cookie
 * (SameSite), and its answer cannot be read. Mutations by GET are refused by Apollo (405); bodies need the header as before.
 */
export const negotiate: RequestHandler = (request, response, next) => {
  response.set('Cache-Control', 'no-store');
  const { headers } = request;
  if (request.method === 'GET' && isOwnRequest(request)) headers['apollo-require-preflight'] ??= 'true';
  const chosen = request.accepts([JSON_TYPE, RESPONSE_TYPE]);
  if (chosen) headers.accept = chosen;
  next();
};

/**
 * The older type application/json says 200 to every well-formed request, with errors in the body, since its status may be
 * any proxy's. Apollo says 400 in both types.
 */
export const jsonIsAlways200: ApolloServerPlugin<BaseContext> = {
  requestDidStart: async () => ({
    willSendResponse: async ({ request, response, source }) => {
      const isPlain = request.http?.headers.get('accept') === JSON_TYPE;
      if (isPlain && source !== undefined && response.http.status === 400) response.http.status = 200;
    },
  }),
};
