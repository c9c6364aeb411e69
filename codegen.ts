// Resolver types from schema.graphql; parents are database rows, so that resolvers load what rows do not hold. And the SDK's
// and the pages' documents with the types of their variables and answers.

import type { CodegenConfig } from '@graphql-codegen/cli';

const ROWS = [
  'Subject',
  'FmriSession',
  'Trial',
  'SourceImage',
  'Mask',
  'Model',
  'PaintJob',
  'PaintJobAttempt',
  'PaintJobBatch',
  'PaintJobEvent',
  'Device',
  'Painting',
  'Rating',
  'Stimulus',
  'TrainingRun',
  'TrainingRunAttempt',
  'WebhookEndpoint',
  'WebhookDelivery',
  'WebhookAttempt',
  'User',
  'AuditEvent',
  'Benchmark',
  'Study',
];

/** The documents of a client. */
const operations = (documents: string) => ({
  documents,
  plugins: ['typescript-operations', 'typed-document-node'],
  config: {
    documentMode: 'string',
    useTypeImports: true,
    enumsAsTypes: true,
    skipTypename: true,
    defaultScalarType: 'unknown',
    scalars: {
      ID: 'string',
      DateTime: 'string',
      JSON: 'unknown',
      Upload: { input: 'Blob', output: 'never' },
    },
  },
});

const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'src/generated/graphql.ts': {
      plugins: ['typescript', 'typescript-resolvers'],
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        defaultScalarType: 'unknown',
        inputMaybeValue: 'T | null | undefined',
        contextType: '../api/context.js#ApiContext',
        mappers: {
          ...Object.fromEntries(ROWS.map((row) => [row, `./prisma/client.js#${row} as ${row}Row`])),
          ApiToken: './prisma/client.js#Credential as CredentialRow',
          RaterLink: './prisma/client.js#Credential as CredentialRow',
          BenchmarkItem: '../services/benchmarks.js#ItemWithParts',
          BenchmarkCell: '../services/benchmarks.js#CellWithParts',
          BenchmarkArm: './prisma/client.js#BenchmarkArm as BenchmarkArmRow',
          BenchmarkMetrics: './prisma/client.js#BenchmarkMeasurement as BenchmarkMeasurementRow',
          StudyRater: '../services/study-raters.js#RaterHealth',
          RaterStudy: '../services/study-screens.js#RaterStudy as RaterStudyView',
          RaterPicture: '../services/study-screens.js#RaterPictureView',
          StudyInvitation: '../services/study-raters.js#Invitation',
          Viewer: '../services/access.js#Viewer as ViewerFacts',
        },
        scalars: {
          ID: 'string',
          DateTime: 'Date',
          JSON: 'unknown',
          Upload: {
            input: 'Promise<import("graphql-upload/processRequest.mjs").FileUpload>',
            output: 'never',
          },
        },
      },
    },
    'src/generated/operations.ts': operations('src/sdk/*.graphql'),
    'src/generated/web-operations.ts': operations('src/web/operations.graphql'),
  },
};

export default config;
