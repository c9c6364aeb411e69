// The thread of analyseApart: takes one task, tells what came of it, ends.

import { parentPort } from 'node:worker_threads';
import { type AnalysisTask, analyse } from './study-analysis.js';

parentPort!.once('message', (task: AnalysisTask) => parentPort!.postMessage(analyse(task)));
