// A study's protocol: what raters are shown and asked, and the rules; checked, and turned into the parameters of a design.

import { design } from '../design/design.js';
import type { DesignParameters } from '../design/parameters.js';
import { mindpainterPreset } from '../design/preset.js';
import { createRng } from '../random.js';
import { bad } from './paint-job-orders.js';
import { hashOf } from './study-chain.js';

export const SCALE = 3;

export interface Criterion {
  readonly name: string;
  /** What the rater is asked. */
  readonly question: string;
  /** What each answer means, from 1; absent where the default holds. */
  readonly values?: readonly string[];
}

export interface PracticeItem {
  /** A benchmark item that is not rated in the study. */
  readonly itemId: string;
  readonly source: string;
  /** Shown after the rater's answer. */
  readonly feedback: string;
}

/** Stored as JSON and frozen, with its hash, when the study opens. The seed is kept apart: with it the arms could be told. */
export interface StudyProtocol
  extends Pick<
    DesignParameters,
    'layout' | 'scale' | 'items' | 'raters' | 'groups' | 'bridgingItems' | 'catchTrials'
  > {
  readonly preset: 'MINDPAINTER' | null;
  readonly arms: readonly { readonly id: string; readonly name: string }[];
  readonly criteria: readonly Criterion[];
  readonly practice: readonly PracticeItem[];
  readonly instructions: string;
  readonly consent: { readonly version: string; readonly text: string };
  /** Whether the picture painted on, with its mask, and what was seen are shown beside the paintings. */
  readonly showSource: boolean;
  readonly showStimulus: boolean;
  /** A rater who was not seen for so long may lose the seat to another. */
  readonly leaseMinutes: number;
  readonly undoSeconds: number;
  /** More failed checks than this pause a rater, for the lead to judge. */
  readonly allowedFailures: number;
  readonly completionCode: string;
  /** Where a rater who has finished is sent; `{code}` becomes the completion code. */
  readonly completionUrl: string | null;
  /** Of the benchmark's paintings. */
  readonly benchmarkSha256: string;
}

/** What 1, 2 and 3 mean where a criterion does not say. */
export const DEFAULT_VALUES: readonly string[] = ['poor', 'fair', 'good'];

/** Criteria where none are given; the paper names none. */
export const DEFAULT_CRITERIA: readonly Criterion[] = [
  { name: 'realism', question: 'How real does the painted part look?' },
  { name: 'harmony', question: 'How well does the painted part fit its surroundings?' },
  { name: 'fidelity', question: 'How clearly is something recognisable painted?' },
];

export const CONSENT = {
  version: '1',
  text: 'I take part of my own free will, may stop at any time, and agree that my answers are kept under a pseudonym.',
};

export const INSTRUCTIONS =
  'Look at each picture and answer each question by 1, 2 or 3; what each means stands at its place. There is no right or wrong, save where a screen asks for an answer.';

function text(value: string, field: string, most: number): void {
  if (value.trim() === '' || value.length > most) bad(field, `give 1 to ${most} characters`);
}

function whole(value: number, field: string, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    bad(field, `${field} must be a whole number from ${least} to ${most}, it is ${value}`);
}

/** Throws AppError BAD_INPUT on what is no design matter; the design checks the rest. */
export function checkProtocol(protocol: StudyProtocol): void {
  for (const { name, question, values = DEFAULT_VALUES } of protocol.criteria) {
    text(name, 'criteria', 60);
    text(question, 'criteria', 500);
    if (values.length !== SCALE)
      bad('criteria', `say of "${name}" what each of 1 to ${SCALE} means, or leave values out`);
    for (const value of values) text(value, 'criteria', 60);
  }
  for (const { feedback } of protocol.practice) text(feedback, 'practice', 1000);
  text(protocol.instructions, 'instructions', 20_000);
  text(protocol.consent.version, 'consentVersion', 100);
  text(protocol.consent.text, 'consentText', 50_000);
  text(protocol.completionCode, 'completionCode', 100);
  whole(protocol.raters, 'raters', 1, 10_000);
  whole(protocol.leaseMinutes, 'leaseMinutes', 1, 60 * 24 * 31);
  whole(protocol.undoSeconds, 'undoSeconds', 0, 86_400);
  whole(protocol.allowedFailures, 'allowedFailures', 0, 1000);
  const { completionUrl } = protocol;
  if (completionUrl !== null && !/^https?:\/\//.test(completionUrl))
    bad('completionUrl', 'give an address that starts with https:// or http://');
  if (protocol.preset === 'MINDPAINTER' && protocol.items.length !== 100) {
    const { length } = protocol.items;
    bad(
      'preset',
      `the paper's study has exactly 100 pairs; beside the practice items this benchmark has ${length}`,
    );
  }
}

/** What the design is made from. */
export function designParameters(protocol: StudyProtocol): DesignParameters {
  const { layout, criteria, scale, items, raters, groups, bridgingItems, catchTrials, practice } = protocol;
  return {
    layout,
    arms: protocol.arms.map(({ id }) => id),
    criteria: criteria.map(({ name }) => name),
    scale,
    items,
    raters,
    groups,
    bridgingItems,
    catchTrials,
    practiceItems: practice.map(({ itemId, source }) => ({ id: itemId, source })),
  };
}

/** The shape of the paper's study over these parts; BAD_INPUT unless there are two arms and three criteria. */
export function presetShape(
  arms: readonly string[],
  criteria: readonly string[],
): Pick<StudyProtocol, 'layout' | 'raters' | 'groups' | 'bridgingItems' | 'catchTrials'> {
  if (arms.length !== 2)
    bad('arms', `the paper's study compares two arms, not ${arms.length}; name two of the benchmark's`);
  if (criteria.length !== 3) bad('criteria', `the paper's study has three criteria, not ${criteria.length}`);
  const preset = mindpainterPreset([], [arms[0]!, arms[1]!], [criteria[0]!, criteria[1]!, criteria[2]!]);
  const { layout, raters, groups, bridgingItems, catchTrials } = preset;
  return { layout, raters, groups, bridgingItems, catchTrials };
}

/** The design of a protocol: the same seed gives the same slots. Throws AppError BAD_INPUT naming what cannot be balanced. */
export const designOf = (protocol: StudyProtocol, seed: number) =>
  design(seed, designParameters(protocol), createRng);

/** What is frozen at open: the protocol, and by its hash the design. */
export function protocolHash(protocol: StudyProtocol, seed: number, algorithm: string): string {
  return hashOf({ protocol, algorithm, design: hashOf([seed, designOf(protocol, seed).slots]) });
}
