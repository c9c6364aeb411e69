// The thread of analyseApart: takes one task, tells what came of it, ends.

import { parentPort, workerData } from 'node:worker_threads';
import { type AnalysisTask, analyse } from './study-analysis.js';

parentPort!.postMessage(analyse(workerData as AnalysisTask));
