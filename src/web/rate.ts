// /rate: where rater links lead. What follows the # is the link's secret; the session starts with a button, never with the
// visit, so that a program that looks at links uses nothing up.

import {
  MyStudiesDocument,
  SignInDocument,
  SignOutDocument,
  StartStudyRatingDocument,
  type StudyViewFragment as Study,
  WhoAmIDocument,
} from '../generated/web-operations.js';
import { adviceOn } from './advice.js';
import { ApiError, ask, mutate } from './api.js';
import { button, byId } from './dom.js';
import { openOutbox } from './outbox.js';
import { standing } from './phase.js';
import { openRatingPage, phaseView } from './rating-page.js';
import {
  consentView,
  continueView,
  finishedView,
  instructionsView,
  linkNeededView,
  messageView,
  signInView,
  studiesView,
  waitingView,
} from './state-views.js';

/** Of this tab only: after a reload it may go on without taking over from itself. */
const TAB_KEY = 'mindpainter:tab';
const LOOK_MS = 15_000;

let userId = '';
/** Ends what the present view has running. */
let leave: (() => void) | undefined;

function show(view: HTMLElement): void {
  byId('main').replaceChildren(view);
  const first = view.matches('[tabindex]') ? view : view.querySelector<HTMLElement>('h1');
  first?.focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

/** Another view: what the last one had running ends. */
function turnTo(view: HTMLElement): void {
  leave?.();
  leave = undefined;
  byId('saving').textContent = '';
  show(view);
}

/** Does something with the server; what goes wrong is said in the view's place, with a way to try again. */
async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const again = button('Try again', () => attempt(action), { className: 'main' });
    if (error.code === 'UNAUTHENTICATED') {
      const [heading, text] =
        error.field === 'secret'
          ? ['This link does not work', adviceOn(error)]
          : ['Signed out', adviceOn(error)];
      return turnTo(messageView(heading!, text!));
    }
    turnTo(messageView('That did not work', adviceOn(error), again));
    if (error.code === 'UNREACHABLE') {
      const retry = () => void attempt(action);
      window.addEventListener('online', retry, { once: true });
      leave = () => window.removeEventListener('online', retry);
    }
  }
}

const storageOf = (kind: 'localStorage' | 'sessionStorage'): Storage | undefined => {
  try {
    return window[kind];
  } catch {
    return undefined;
  }
};

function rate(study: Study, tabId: string): void {
  leave?.();
  storageOf('sessionStorage')?.setItem(TAB_KEY, tabId);
  leave = openRatingPage({
    userId,
    study,
    tabId,
    outbox: openOutbox(storageOf('localStorage'), userId, study.id),
    show,
    onRestart: () => start(study.id),
    onLeave: () => {
      turnTo(
        messageView(
          'See you',
          'All that is saved stays, and what is not saved yet is kept on this device. You can go on at any time with your link.',
          button('Continue', () => attempt(home), { className: 'main' }),
          button('Sign out', () => attempt(signOut)),
        ),
      );
    },
    onSignedOut: () => turnTo(messageView('Signed out', adviceOn(new ApiError('UNAUTHENTICATED', '')))),
  });
}

/** Starts or goes on with a study on this page; waits where all places are taken. */
const start = (studyId: string, consentVersion?: string): Promise<void> =>
  attempt(async () => {
    try {
      const { study } = await mutate(StartStudyRatingDocument, { input: { studyId, consentVersion } });
      rate(study!, study!.tabId!);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 'LIMIT_REACHED' && error.field === 'studyId') {
        const { retryAfterSeconds: seconds } = error;
        turnTo(waitingView(seconds, () => start(studyId, consentVersion)));
        const timer = setTimeout(
          () => void start(studyId, consentVersion),
          Math.min(Math.max(seconds ?? 60, 5), 60) * 1000,
        );
        leave = () => clearTimeout(timer);
      } else if (error.code === 'CONFLICT') await home(studyId);
      else throw error;
    }
  });

/** The view of a study that this page does not rate in yet. */
function entrance(study: Study): HTMLElement {
  const { phase } = standing(study, null, [], new Map());
  const go = () => start(study.id, study.consentVersion);
  // Whatever rates in it now, it is not this page.
  if (phase === 'TAKEN_OVER') return continueView(study, go);
  if (phase === 'INVITED') return consentView(study, () => turnTo(instructionsView(study, go)));
  if (phase === 'FINISHED') return finishedView(study);
  return phaseView(study, phase, go);
}

function enter(study: Study): void {
  const tabId = storageOf('sessionStorage')?.getItem(TAB_KEY) ?? null;
  if (study.tabId !== null && study.tabId === tabId) {
    rate(study, tabId);
    return;
  }
  turnTo(entrance(study));
  if (study.open && study.state !== 'PAUSED') return;
  // Shown anew only when something has changed, so that nobody is interrupted in reading.
  const look = async () => {
    const { myStudies } = await ask(MyStudiesDocument, {});
    const now = myStudies.find(({ id }) => id === study.id);
    if (now && (now.state !== study.state || now.open !== study.open || now.closed !== study.closed))
      enter(now);
  };
  const timer = setInterval(() => void look().catch(() => {}), LOOK_MS);
  leave = () => clearInterval(timer);
}

/** The study of this id, or the only one, or the list of them. */
async function home(studyId?: string): Promise<void> {
  const { viewer, myStudies } = await ask(MyStudiesDocument, {});
  userId = viewer!.user.id;
  const tabId = storageOf('sessionStorage')?.getItem(TAB_KEY);
  const one =
    myStudies.find(({ id }) => id === studyId) ??
    myStudies.find((study) => study.tabId !== null && study.tabId === tabId) ??
    (myStudies.length === 1 ? myStudies[0] : undefined);
  if (one) enter(one);
  else turnTo(studiesView(myStudies, enter));
}

async function signOut(): Promise<void> {
  await mutate(SignOutDocument, {});
  turnTo(messageView('Signed out', 'Open your link again to go on. You can close this page.'));
}

async function signIn(secret: string): Promise<void> {
  await mutate(SignInDocument, { input: { secret } });
  // The secret leaves the address: it is in no history and on no screen that is shared.
  history.replaceState(null, '', location.pathname);
  await home();
}

async function open(): Promise<void> {
  const secret = location.hash.slice(1);
  if (secret !== '') return turnTo(signInView(() => attempt(() => signIn(secret))));
  const { viewer } = await ask(WhoAmIDocument, {});
  if (viewer?.role !== 'RATER') return turnTo(linkNeededView());
  await home();
}

window.addEventListener('hashchange', () => void attempt(open));
void attempt(open);
