// schema.graphql joined with its resolvers; a resolver without a field in the schema is refused at start.

import { readFileSync } from 'node:fs';
import { makeExecutableSchema } from '@graphql-tools/schema';
import { GraphQLError, GraphQLScalarType, type GraphQLSchema } from 'graphql';
import GraphQLUpload from 'graphql-upload/GraphQLUpload.mjs';
import { refuseUnstorableText } from './plain-text.js';
import { ApiToken } from './resolvers/ApiToken.js';
import { AuditEvent } from './resolvers/AuditEvent.js';
import { Benchmark, BenchmarkArm, BenchmarkCell, BenchmarkItem } from './resolvers/Benchmark.js';
import { BenchmarkMetrics } from './resolvers/BenchmarkMetrics.js';
import { Device } from './resolvers/Device.js';
import { FmriSession } from './resolvers/FmriSession.js';
import { Mask } from './resolvers/Mask.js';
import { Model } from './resolvers/Model.js';
import { Mutation } from './resolvers/Mutation.js';
import { Painting } from './resolvers/Painting.js';
import { PaintJob } from './resolvers/PaintJob.js';
import { PaintJobBatch } from './resolvers/PaintJobBatch.js';
import { PaintJobEvent } from './resolvers/PaintJobEvent.js';
import { Query } from './resolvers/Query.js';
import { RaterLink } from './resolvers/RaterLink.js';
import { Rating } from './resolvers/Rating.js';
import { SourceImage } from './resolvers/SourceImage.js';
import { Stimulus } from './resolvers/Stimulus.js';
import { RaterPicture, RaterStudy, Study, StudyInvitation, StudyRater } from './resolvers/Study.js';
import { Subject } from './resolvers/Subject.js';
import { Subscription } from './resolvers/Subscription.js';
import { TrainingRun } from './resolvers/TrainingRun.js';
import { Trial } from './resolvers/Trial.js';
import { User } from './resolvers/User.js';
import { Viewer } from './resolvers/Viewer.js';
import { WebhookDelivery } from './resolvers/WebhookDelivery.js';
import { WebhookEndpoint } from './resolvers/WebhookEndpoint.js';

const DateTime = new GraphQLScalarType({
  name: 'DateTime',
  serialize: (value) => (value as Date).toISOString(),
  parseValue: () => {
    throw new GraphQLError('DateTime is not taken as input');
  },
});

const JSON_VALUE = new GraphQLScalarType({
  name: 'JSON',
  serialize: (value) => value,
  parseValue: () => {
    throw new GraphQLError('JSON is not taken as input');
  },
});

export function createSchema(): GraphQLSchema {
  const schema = makeExecutableSchema({
    typeDefs: readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'),
    resolvers: {
      DateTime,
      JSON: JSON_VALUE,
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
      PaintJobBatch,
      PaintJobEvent,
      Device,
      Painting,
      Rating,
      Stimulus,
      TrainingRun,
      WebhookEndpoint,
      WebhookDelivery,
      User,
      ApiToken,
      RaterLink,
      AuditEvent,
      Viewer,
      Benchmark,
      BenchmarkArm,
      BenchmarkCell,
      BenchmarkItem,
      BenchmarkMetrics,
      Study,
      StudyRater,
      StudyInvitation,
      RaterStudy,
      RaterPicture,
    },
  });
  return refuseUnstorableText(schema);
}
