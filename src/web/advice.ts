// Every refusal as a sentence on what to do.

import type { ApiError, Reason } from './api.js';

const BY_REASON: Readonly<Record<Reason, string>> = {
  UNREACHABLE: 'The server cannot be reached. Look at your connection; this page tries again by itself.',
  UNAVAILABLE: 'The server has more to do than it can. This page tries again by itself.',
  LIMIT_REACHED: 'The server is asked more than it allows. This page goes on in a moment.',
  INTERNAL:
    'Something is wrong with the server. Your answers are kept here; if this lasts, tell who sent you the link.',
  UNAUTHENTICATED:
    'You are not signed in any more. Open your link again; what is not saved yet is kept on this device.',
  FORBIDDEN: 'This account may not rate. Open the link that was sent to you.',
  NOT_FOUND: 'This is not there any more. Load the page again.',
  CONFLICT: 'The study has moved on. Load the page again to see where it stands.',
  BAD_INPUT: 'An answer was not understood. Please answer this screen again.',
  TOO_LARGE: 'That was more than the server takes. Load the page again.',
  UNSUPPORTED: 'The server does not know this. Load the page again.',
  CORRUPT: 'A stored picture is damaged. Tell who sent you the link.',
  CANCELLED: 'That was stopped. Please try again.',
};

const BY_FIELD: Readonly<Record<string, string>> = {
  secret: 'This link is not known, has expired, or was taken back. Ask who sent it for a new one.',
  tabId: 'The study was opened in another tab or on another device since. Go on there, or take over here.',
  slotId: 'This screen was answered already, or was taken out of the study. Here is the next one.',
  answerId: 'This answer was sent before with other content. Please look at it again.',
  answers: 'An answer was not understood. Please answer this screen again.',
  consentVersion: 'The consent text has changed. Load the page again and read it.',
};

/** What to do about it. */
export function adviceOn({ code, field, message }: ApiError): string {
  if (code === 'LIMIT_REACHED' && field === 'studyId') return 'All places of this study are taken.';
  // Where undo is refused, only the server knows which of its rules it was.
  if (code === 'CONFLICT' && field === 'studyId') return `${message[0]!.toUpperCase()}${message.slice(1)}.`;
  return BY_FIELD[field ?? ''] ?? BY_REASON[code];
}

/** The line that says how it stands with what is not saved, or an empty one. */
export function savingLine(unsaved: number, trouble: ApiError | null): string {
  if (!trouble) return '';
  if (unsaved === 0) return adviceOn(trouble);
  const answers = unsaved === 1 ? '1 answer' : `${unsaved} answers`;
  const why = trouble.code === 'UNREACHABLE' ? '' : ` ${adviceOn(trouble)}`;
  return `Not saved yet: ${answers}, trying again.${why}`;
}

/** A time to wait, in words. */
export function inWords(seconds: number): string {
  if (seconds < 90) return 'in about a minute';
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `in about ${minutes} minutes` : `in about ${Math.round(minutes / 60)} hours`;
}
