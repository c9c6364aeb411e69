// What an ablation is: a grid of cells, what each cell measures, and how its figures are shown.

import type { Panel } from './plot.js';

type Setting = string | number | boolean | readonly number[];

/** Everything that a cell's figures depend on; two cells of equal settings have equal figures. */
export type Settings = Readonly<Record<string, Setting>>;

/** A measured value, with its 95 % interval where one is known. */
export interface Figure {
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
}

export type Figures = Readonly<Record<string, Figure>>;

export interface Cell {
  /** File name under runs/ablate/<experiment>, without .json. */
  readonly name: string;
  /** Values of the table's setting columns, in the order of `Experiment.columns`. */
  readonly labels: readonly (string | number)[];
  readonly settings: Settings;
}

export interface FinishedCell extends Cell {
  readonly figures: Figures;
  readonly seconds: number;
  /** The cell's own file. */
  readonly path: string;
}

/** Figures of one setting over all seeds: what a row of the table and a point of the plot show. */
export interface Row {
  readonly labels: readonly (string | number)[];
  readonly figures: Figures;
  readonly seeds: number;
}

/** The command line's options, read and checked. */
export interface Options {
  readonly folder: string;
  readonly bundle: string;
  readonly judge: string;
  readonly photographs: readonly string[];
  readonly seeds: number;
  readonly threads?: number;
  /** Overrides the optimiser steps of every stage that the experiment trains. */
  readonly steps?: number;
  /** Overrides the grid's numbers of training stimuli. */
  readonly stimuli?: readonly number[];
  /** Width of both brain networks in place of the toy's. */
  readonly hidden?: number;
  readonly heldOut: number;
  /** Held-out pairs painted for each test of a cell. */
  readonly pairs: number;
  readonly paintingSteps: number;
  readonly pool: number;
  /** Channels of the UNet's outermost level in trainings of this experiment. */
  readonly width: number;
  readonly say: (line: string) => void;
}

/** What an experiment holds open while its cells are measured. */
export interface Bench {
  /** `checkpoints` is a folder for this cell's training alone; it is removed when the cell is done. */
  measure(cell: Cell, checkpoints: string): Promise<Figures>;
  close(): Promise<void>;
}

export interface Experiment {
  readonly name: string;
  /** One line for --list. */
  readonly about: string;
  /** Names of the setting columns. */
  readonly columns: readonly string[];
  /** Figures in the table, in this order, with their headings. */
  readonly figures: Readonly<Record<string, string>>;
  /** The grid. Settings that name a model carry its hash, so a cell is measured again when the model changes. */
  cells(options: Options): Promise<readonly Cell[]>;
  /** Called once, when at least one cell is left to measure. */
  open(options: Options): Promise<Bench>;
  panels(rows: readonly Row[]): readonly Panel[];
}
