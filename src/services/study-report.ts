// A study's report as one HTML page with plots in SVG: what a paper prints, and what the design cannot show, said by itself.

import type { Study } from '../generated/prisma/client.js';
import type { Interval } from '../stats/intervals.js';
import type { Statistic } from '../stats/statistic.js';
import type { Analysis } from '../stats/study-analysis.js';
import type { Services } from './context.js';
import { describeDesign, protocolOf } from './studies.js';
import type { StudyProtocol } from './study-protocol.js';
import { type StudyResults, studyResults } from './study-results.js';

const escapeHtml = (text: string) =>
  text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]!);

const number = (value: number, digits = 3) => value.toFixed(digits);
const pValue = (p: number) => (p < 0.001 ? '&lt; 0.001' : number(p));

function show(statistic: Statistic): string {
  if (statistic.status === 'DEFINED') return number(statistic.value);
  return `<abbr title="${escapeHtml(statistic.reason)}">undefined</abbr>`;
}

function showInterval(statistic: Statistic<Interval>): string {
  if (statistic.status === 'DEFINED')
    return `${number(statistic.value.low)} to ${number(statistic.value.high)}`;
  return `<abbr title="${escapeHtml(statistic.reason)}">undefined</abbr>`;
}

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  `<table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
    .join('')}</tbody></table>`;

/** Mean differences with their 95 % intervals on one axis. */
function forest({ comparisons }: Analysis): string {
  const known = comparisons.flatMap(({ criterion, arm, comparedWith, difference, interval }) =>
    difference.mean.status === 'DEFINED' && interval.studentised.status === 'DEFINED'
      ? [
          {
            label: `${criterion}: ${arm} - ${comparedWith}`,
            mean: difference.mean.value,
            ...interval.studentised.value,
          },
        ]
      : [],
  );
  if (known.length === 0) return '';
  const reach = Math.max(0.1, ...known.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)])) * 1.1;
  const x = (value: number) => 480 + (value / reach) * 200;
  const height = 30 * known.length + 40;
  const rows = known.map(({ label, mean, low, high }, i) => {
    const y = 20 + 30 * i;
    return `<text x="260" y="${y + 4}" text-anchor="end">${escapeHtml(label)}</text>
      <line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="#234" stroke-width="2"/>
      <rect x="${x(mean) - 4}" y="${y - 4}" width="8" height="8" fill="#c33"/>`;
  });
  return `<svg viewBox="0 0 700 ${height}" role="img" aria-label="Mean differences with 95 % intervals">
    <line x1="${x(0)}" x2="${x(0)}" y1="5" y2="${height - 25}" stroke="#999" stroke-dasharray="3"/>
    ${rows.join('')}
    <text x="${x(-reach)}" y="${height - 8}">${number(-reach, 2)}</text><text x="${x(0) - 3}" y="${height - 8}">0</text>
    <text x="${x(reach)}" y="${height - 8}" text-anchor="end">${number(reach, 2)}</text></svg>`;
}

const SHADES = ['#b2453c', '#d9c27a', '#3f7f5f'];

/** How often each arm got 1, 2 and 3, as bars of one length. */
function distributions({ arms }: Analysis): string {
  const rows = arms.map(({ criterion, arm, count, distribution }, i) => {
    let left = 270;
    const bars = distribution.map((times, value) => {
      const width = (400 * times) / Math.max(1, count);
      const bar = `<rect x="${left}" y="${8 + 26 * i}" width="${width}" height="18" fill="${SHADES[value % SHADES.length]}"><title>${value + 1}: ${times}</title></rect>`;
      left += width;
      return bar;
    });
    return `<text x="260" y="${22 + 26 * i}" text-anchor="end">${escapeHtml(`${criterion}: ${arm}`)}</text>${bars.join('')}`;
  });
  return `<svg viewBox="0 0 700 ${26 * arms.length + 12}" role="img" aria-label="Distribution of the ratings 1 (red), 2 (yellow), 3 (green)">${rows.join('')}</svg>`;
}

/** What the design and the data cannot show, in sentences. */
export function weaknesses(protocol: StudyProtocol, design: string, results: StudyResults): string[] {
  const { all, kept, raters } = results;
  const fromDesign = design.split('\n').flatMap((line) => /^(Weakness|FAULT): (.*)$/.exec(line)?.[2] ?? []);
  const found = [...fromDesign];
  if (protocol.raters < 15)
    found.push(`${protocol.raters} raters are fewer than the 15 that ITU-R BT.500 asks for after screening.`);
  found.push(
    `A scale of ${protocol.scale} points makes many ties, and a difference of means on it is no difference of equal steps: read the distributions and the sign test first.`,
  );
  if (protocol.arms.length === 2)
    found.push(
      'One baseline: the study says which of two arms is preferred, and nothing of any other method.',
    );
  if (protocol.layout === 'PAIR')
    found.push(
      'Side by side, the two paintings are compared with each other: their ratings are not absolute.',
    );
  if (protocol.practice.length === 0)
    found.push('No practice: the first answers are also the raters’ learning.');
  const unfinished =
    raters.filter(({ state }) => state !== 'FINISHED').length + protocol.raters - raters.length;
  if (unfinished > 0) found.push(`${unfinished} of ${protocol.raters} places were not answered to the end.`);
  for (const { criterion, arm, comparedWith, difference } of all.comparisons) {
    const share = difference.ties / Math.max(1, difference.count);
    if (share > 0.5)
      found.push(
        `${criterion}: ${Math.round(100 * share)} % of the pairs ${arm} against ${comparedWith} are ties.`,
      );
  }
  for (const { criterion, arm, pooled } of all.agreement) {
    const alpha = pooled.alphaOrdinal.value;
    if (alpha.status === 'UNDEFINED')
      found.push(`${criterion}, ${arm}: agreement is undefined: ${alpha.reason}.`);
    else if (alpha.value < 0.667)
      found.push(
        `${criterion}, ${arm}: ordinal alpha is ${number(alpha.value)}, under the 0.667 of a tentative conclusion.`,
      );
  }
  if (kept) found.push('Raters were excluded by the lead; both analyses are given.');
  const flagged = raters.filter(
    ({ failedChecks, excluded }) => failedChecks > protocol.allowedFailures && !excluded,
  ).length;
  if (flagged > 0) found.push(`${flagged} raters failed more checks than allowed and were kept.`);
  return found;
}

function analysisHtml(analysis: Analysis): string {
  const comparisons = analysis.comparisons.map(
    ({
      criterion,
      arm,
      comparedWith,
      difference,
      interval,
      signTest,
      signedRankTest,
      cliffsDelta,
      adjustedPValues,
    }) => [
      escapeHtml(criterion),
      `${escapeHtml(arm)} - ${escapeHtml(comparedWith)}`,
      show(difference.mean),
      showInterval(interval.studentised),
      showInterval(interval.percentile),
      showInterval(interval.bca),
      `${difference.wins} / ${difference.ties} / ${difference.losses}`,
      signTest.exactPValue.status === 'DEFINED'
        ? pValue(signTest.exactPValue.value)
        : signTest.asymptotic.status === 'DEFINED'
          ? pValue(signTest.asymptotic.value.pValue)
          : show(signTest.exactPValue),
      pValue(adjustedPValues.holm),
      signedRankTest.asymptotic.status === 'DEFINED'
        ? pValue(signedRankTest.asymptotic.value.pValue)
        : `<abbr title="${escapeHtml(signedRankTest.asymptotic.reason)}">undefined</abbr>`,
      cliffsDelta ? `${show(cliffsDelta.estimate)} (${showInterval(cliffsDelta.percentile)})` : 'undefined',
    ],
  );
  return `<p>${analysis.ratings} ratings of ${analysis.items} pairs by ${analysis.raters} raters.</p>
    <h3>By arm</h3>${distributions(analysis)}
    ${table(
      ['criterion', 'arm', 'ratings', 'mean', 'median', 'sd', '1 / 2 / 3'],
      analysis.arms.map(({ criterion, arm, count, mean, median, standardDeviation, distribution }) => [
        escapeHtml(criterion),
        escapeHtml(arm),
        count,
        show(mean),
        show(median),
        show(standardDeviation),
        distribution.join(' / '),
      ]),
    )}
    <h3>Paired differences</h3>${forest(analysis)}
    ${table(
      [
        'criterion',
        'difference',
        'mean',
        '95 % studentised',
        'percentile',
        'BCa',
        'win / tie / loss',
        'sign test p',
        'Holm',
        'Wilcoxon (Pratt) p',
        "Cliff's delta",
      ],
      comparisons,
    )}
    ${
      analysis.friedman.length === 0
        ? ''
        : `<h3>Friedman</h3>${table(
            ['criterion', 'pairs', 'chi square', 'p', "Kendall's W"],
            analysis.friedman.map(({ criterion, blocks, result }) =>
              result.status === 'DEFINED'
                ? [
                    escapeHtml(criterion),
                    blocks,
                    number(result.value.chiSquare),
                    pValue(result.value.pValue),
                    number(result.value.kendallW),
                  ]
                : [escapeHtml(criterion), blocks, escapeHtml(result.reason), '', ''],
            ),
          )}`
    }
    <h3>Agreement</h3>${table(
      [
        'criterion',
        'arm',
        'alpha (ordinal)',
        '95 %',
        "Fleiss' kappa",
        '95 %',
        "Gwet's AC2",
        '95 %',
        'same answer',
      ],
      analysis.agreement.map(
        ({ criterion, arm, pooled: { alphaOrdinal, fleissKappa, gwetAc2, percentAgreement } }) => [
          escapeHtml(criterion),
          escapeHtml(arm),
          show(alphaOrdinal.value),
          showInterval(alphaOrdinal.interval),
          show(fleissKappa.value),
          showInterval(fleissKappa.interval),
          show(gwetAc2.value),
          showInterval(gwetAc2.interval),
          show(percentAgreement.value),
        ],
      ),
    )}`;
}

const STYLE = `body{font:15px/1.5 Georgia,serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0;font-size:13px}td,th{border-bottom:1px solid #ccc;padding:3px 9px;text-align:left}
svg{max-width:700px;font:12px sans-serif}code{font-size:12px;overflow-wrap:anywhere}`;

/** The report of an unsealed study. */
export async function studyReport(services: Services, study: Study): Promise<string> {
  const results = (await studyResults(services, study))!;
  const protocol = protocolOf(study);
  const design = describeDesign(study);
  const { selfConsistency: self } = results;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(study.name)}: results</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(study.name)}, version ${study.version}</h1>
<p>Opened ${study.openedAt!.toISOString()}, closed ${study.closedAt!.toISOString()}, unsealed ${study.unsealedAt!.toISOString()}.</p>
<h2>What this study cannot show</h2><ul>${weaknesses(protocol, design, results)
    .map((weakness) => `<li>${escapeHtml(weakness)}</li>`)
    .join('')}</ul>
<h2>Design</h2><p>${escapeHtml(design).replaceAll('\n', '<br>')}</p>
${table(
  ['criterion', 'question'],
  protocol.criteria.map(({ name, question }) => [escapeHtml(name), escapeHtml(question)]),
)}
<h2>Results</h2>${analysisHtml(results.all)}
${results.kept ? `<h2>Results without excluded raters</h2>${analysisHtml(results.kept)}` : ''}
<h2>Raters</h2>
<p>Repeated screens: ${self.repeats} answers, ${show(self.exact)} of them the same as the first time, drift ${show(self.drift)}.</p>
${table(
  ['rater', 'group', 'state', 'failed checks', 'excluded'],
  results.raters.map(({ label, group, state, failedChecks, excluded }) => [
    label,
    group ?? '',
    state.toLowerCase(),
    failedChecks,
    escapeHtml(excluded ?? ''),
  ]),
)}
<h2>Method</h2>
<p>Intervals: raters and pairs drawn anew ${results.resamples} times (crossed bootstrap), seed ${results.seed}, ${escapeHtml(results.algorithm)};
the studentised interval is the one to report. Sign test, Wilcoxon and Friedman's test take
each pair's mean over its raters; Holm corrects the sign tests of this page. Design: ${escapeHtml(study.algorithm)}, the same seed.</p>
<p>Protocol sha256 <code>${study.protocolSha256}</code><br>Root of the record <code>${study.chainRoot}</code>: checked by
<code>npm run verify:export -- export.json</code>.</p></body></html>\n`;
}
