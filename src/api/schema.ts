// schema.graphql joined with its resolvers; a resolver without a field in the schema is refused at start.

import { readFileSync } from 'node:fs';
import { makeExecutableSchema } from '@graphql-tools/schema';
import { GraphQLError, GraphQLScalarType, type GraphQLSchema } from 'graphql';
import GraphQLUpload from 'graphql-upload/GraphQLUpload.mjs';
import { ApiToken } from './resolvers/ApiToken.js';
import { AuditEvent } from './resolvers/AuditEvent.js';
import { FmriSession } from './resolvers/FmriSession.js';
import { Mask } from './resolvers/Mask.js';
import { Model } from './resolvers/Model.js';
import { Mutation } from './resolvers/Mutation.js';
import { Painting } from './resolvers/Painting.js';
import { PaintJob } from './resolvers/PaintJob.js';
import { Query } from './resolvers/Query.js';
import { RaterLink } from './resolvers/RaterLink.js';
import { Rating } from './resolvers/Rating.js';
import { SourceImage } from './resolvers/SourceImage.js';
import { Subject } from './resolvers/Subject.js';
import { Subscription } from './resolvers/Subscription.js';
import { Trial } from './resolvers/Trial.js';
import { User } from './resolvers/User.js';
import { Viewer } from './resolvers/Viewer.js';

const DateTime = new GraphQLScalarType({
  name: 'DateTime',
  serialize: (value) => (value as Date).toISOString(),
  parseValue: () => {
    throw new GraphQLError('DateTime is not taken as input');
  },
});

const Json = new GraphQLScalarType({
  name: 'JSON',
  parseValue: () => {
    throw new GraphQLError('JSON is not taken as input');
  },
});

export function createSchema(): GraphQLSchema {
  return makeExecutableSchema({
    typeDefs: readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'),
    resolvers: {
      DateTime,
      JSON: Json,
      Upload: GraphQLUpload,
      Query,
      Mutation,
      Subscription,
      Subject,
      FmriSession,
      Trial,
      SourceImage,
      Mask,
      Model,
      PaintJob,
      Painting,
      Rating,
      User,
      ApiToken,
      RaterLink,
      AuditEvent,
      Viewer,
    },
  });
}
