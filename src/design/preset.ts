// The paper's user study as parameters of a design.

import type { DesignItem, DesignParameters } from './parameters.js';

/**
 * MindPainter's user study (AAAI 2025): 100 pairs of picture and fMRI, two methods, 20 raters in 5 groups of 20 pairs,
 * so 4 raters a pair. The paper names no criteria and reports no checks: the caller names its own, checks are added.
 */
export function mindpainterPreset(
  items: readonly DesignItem[],
  arms: readonly [string, string],
  criteria: readonly [string, string, string],
  practiceItems: readonly DesignItem[] = [],
): DesignParameters {
  return {
    layout: 'PAIR',
    arms,
    criteria,
    scale: 3,
    items,
    raters: 20,
    groups: 5,
    bridgingItems: 0,
    catchTrials: { instructed: 1, duplicates: 2, grossFailures: 1 },
    practiceItems,
  };
}
