/** The first thing to read: how good the method is, beside what, and what that means. */

import * as Plot from "@observablehq/plot"
import { useCallback } from "preact/hooks"
import { largestClass, methodOf, type page, partsOf, pathOf, SHUFFLED, wholeTables } from "./data.ts"
import { chance, count, percent, plural, points, shorten } from "./format.ts"
import { Difference, Empty, Figure, Range, Scroll, Section, Source, Tile, Val } from "./parts.tsx"
import { verdictOf } from "./verdict.ts"

export function Headline({ run }: { run: page.RunData }) {
  const { results } = run
  const [first] = wholeTables(run)
  if (!results || !first) {
    return (
      <Section id="headline" title={run.about?.status === "training" ? "Still training" : "Not tested"}>
        <Empty>
          {run.about?.status === "training"
            ? "Figures follow when every method is trained. Until then: learning curves, and what there is to know about the data."
            : "No clip was held back for a test, so how good the model is was not measured. Label a few more clips of each class: from three on, some are held back."}
        </Empty>
      </Section>
    )
  }
  return (
    <Section id="headline" title="How good is it?">
      <Top split={first} results={results} />
      {[...results.means, ...results.splits].map((split) => (
        <Methods key={split.place} split={split} results={results} open={split === first} />
      ))}
    </Section>
  )
}

function Top({ split, results }: { split: page.PageSplit; results: page.PageResults }) {
  const own = methodOf(split, results.reference)
  const top1 = own?.figures.top1
  if (!own || !top1) return <Empty>The reference method has no figures.</Empty>
  const path = pathOf(split, own)
  const baseline = methodOf(split, "baseline")
  const control = methodOf(split, SHUFFLED)
  const largest = largestClass(own)
  const groups = split.groups === null ? "" : ` of ${plural(split.groups, "group")}`
  return (
    <>
      <div class="headline">
        <div>
          <p class="big">
            <Val n={top1.value} from={`${path}.figures.top1.value`} />
            <small>%</small>
          </p>
          <p class="under">
            right, {100 * results.level} % interval <Range interval={top1} from={`${path}.figures.top1`} />
          </p>
        </div>
        <p class="meaning">{meaning(split, own, baseline, control, results, groups)}</p>
      </div>
      <dl class="tiles">
        <FigureTile name="mean over classes" figure={own.figures.meanClass} from={`${path}.figures.meanClass`} />
        <FigureTile name="right within five guesses" figure={own.figures.top5} from={`${path}.figures.top5`} />
        {baseline && baseline !== own ? (
          <FigureTile
            name="same network, no prompts"
            figure={baseline.figures.top1}
            from={`${pathOf(split, baseline)}.figures.top1`}
          />
        ) : null}
        <Tile
          name="at random"
          note={
            largest
              ? `always ${shorten(largest.name, 16)}: ${percent(largest.share)} %`
              : `1 of ${split.classes.length}`
          }
        >
          {percent(1 / split.classes.length)} %
        </Tile>
        <Tile name="weights trained" note="the encoder stays frozen">
          {own.trainedWeights === null ? "–" : count(own.trainedWeights)}
        </Tile>
      </dl>
      <p class="source">
        <code>results.json</code> → <code>{path}</code>; point at any number to see where it stands there. Intervals:
        bootstrap over {split.groups === null ? "clips" : "groups of clips"}
        {results.seeds.length > 1 ? " and seeds" : ""}, {results.resamples.toLocaleString("en")} draws.
      </p>
      {results.splits.length > 1 ? (
        <p class="source">Each test part, and each without the excluded classes, has its own table below.</p>
      ) : null}
    </>
  )
}

const FigureTile = ({ name, figure, from }: { name: string; figure: page.Interval | undefined; from: string }) =>
  figure ? (
    <Tile name={name} note={<Range interval={figure} from={from} />}>
      <Val n={figure.value} from={`${from}.value`} /> %
    </Tile>
  ) : null

/** One sentence on what the figures mean. */
function meaning(
  split: page.PageSplit,
  own: page.PageMethod,
  baseline: page.PageMethod | undefined,
  control: page.PageMethod | undefined,
  results: page.PageResults,
  groups: string,
): string {
  const right = `Of ${plural(split.clips, "test clip")}${groups}, ${own.method} names the right class for ${percent(own.figures.top1?.value ?? 0)} %`
  const against = (other: page.PageMethod | undefined, what: string) => {
    const difference = other?.difference?.top1
    if (!difference) return null
    const size = `${points(difference.value)} points`
    return `${size} against ${what}, ${verdictOf(difference).clause}`
  }
  const first = against(baseline === own ? undefined : baseline, "the same network without prompts")
  const second = against(control, "the same method with answers about other clips")
  const verdict = [first, second].filter((part) => part !== null)
  const range = own.figures.top1 ? own.figures.top1.high - own.figures.top1.low : 0
  const unsure =
    range > 0.15
      ? ` The interval is wide: ${split.groups === null ? "more test clips" : "test clips of more groups"} would tell more.`
      : ""
  return verdict.length > 0
    ? `${right}: ${verdict.join("; ")}.${unsure}`
    : `${right}; ${results.seeds.length > 1 ? "a mean over seeds" : "one training run"}.${unsure}`
}

function Methods({ split, results, open }: { split: page.PageSplit; results: page.PageResults; open: boolean }) {
  const { reference } = results
  const draw = useCallback(
    (width: number) => {
      const rows = split.methods.flatMap(({ method, figures }) =>
        figures.top1 ? [{ method, own: method === reference, ...figures.top1 }] : [],
      )
      const narrow = width < 520
      return {
        height: 34 + 26 * rows.length,
        marginLeft: narrow ? 128 : 178,
        marginRight: 16,
        marginTop: 24,
        marginBottom: 6,
        x: { domain: [0, 100], label: null, axis: "top" as const, grid: true, ticks: narrow ? 5 : 10 },
        y: {
          domain: rows.map(({ method }) => method),
          label: null,
          tickSize: 0,
          tickFormat: (name: string) => shorten(name, narrow ? 19 : 27),
        },
        marks: [
          Plot.ruleX([100 / split.classes.length], { stroke: "var(--strong-line)", strokeDasharray: "3,3" }),
          Plot.ruleY(rows, {
            y: "method",
            x1: (d) => 100 * d.low,
            x2: (d) => 100 * d.high,
            stroke: (d) => (d.own ? "var(--s0)" : "var(--s6)"),
            strokeWidth: 3,
            strokeOpacity: 0.45,
          }),
          Plot.dot(rows, {
            y: "method",
            x: (d) => 100 * d.value,
            r: (d) => (d.own ? 6 : 4.5),
            fill: (d) => (d.own ? "var(--s0)" : "var(--s6)"),
          }),
        ],
      }
    },
    [split, reference],
  )
  const title = `${split.split}${split.excluded.length > 0 ? ` without ${split.excluded.join(", ")}` : ""}`
  const heading = (
    <>
      {title}{" "}
      <span class="range">
        {plural(split.clips, "clip")}, {plural(split.classes.length, "class", "classes")}
        {split.folds.length > 1 ? `, ${split.folds.length} ${partsOf(split)}` : ""}
        {split.groups === null ? "" : `, ${plural(split.groups, "group")}`}
      </span>
    </>
  )
  const content = (
    <>
      <Figure
        label={`Accuracy of every method on ${title}, in per cent with intervals; the table below has the same numbers`}
        draw={draw}
      />
      <p class="source">Accuracy in % with intervals; the dashed line is chance.</p>
      <details open={open}>
        <summary>The figures as a table</summary>
        <Scroll label={`Figures of every method on ${title}`}>
          <table class="wide">
            <thead>
              <tr>
                <th scope="col">method</th>
                <th scope="col" class="n">
                  top-1 %
                </th>
                <th scope="col" class="n">
                  mean class %
                </th>
                <th scope="col" class="n">
                  {reference} − method
                </th>
                <th scope="col" class="n">
                  p
                </th>
                <th scope="col" class="n">
                  NLL
                </th>
                <th scope="col" class="n">
                  ECE %
                </th>
                <th scope="col" class="n">
                  weights
                </th>
              </tr>
            </thead>
            <tbody>
              {split.methods.map((method) => {
                const path = pathOf(split, method)
                const { top1, meanClass, nll } = method.figures
                const difference = method.difference?.top1
                return (
                  <tr key={method.method} class={method.method === reference ? "own" : ""}>
                    <th scope="row">{method.method}</th>
                    <td class="n">
                      {top1 ? (
                        <>
                          <Val n={top1.value} from={`${path}.figures.top1.value`} />{" "}
                          <Range interval={top1} from={`${path}.figures.top1`} />
                        </>
                      ) : (
                        "–"
                      )}
                    </td>
                    <td class="n">
                      {meanClass ? <Val n={meanClass.value} from={`${path}.figures.meanClass.value`} /> : "–"}
                    </td>
                    <td class="n">
                      {difference ? <Difference interval={difference} from={`${path}.difference.top1`} /> : ""}
                    </td>
                    <td class="n">
                      {difference ? <Val n={difference.p} from={`${path}.difference.top1.p`} as={chance} /> : ""}
                    </td>
                    <td class="n">
                      {nll ? <Val n={nll.value} from={`${path}.figures.nll.value`} as={(n) => n.toFixed(3)} /> : "–"}
                    </td>
                    <td class="n">
                      <Val n={method.calibrationError} from={`${path}.calibrationError`} />
                    </td>
                    <td class="n">
                      {method.trainedWeights === null ? (
                        "–"
                      ) : (
                        <Val n={method.trainedWeights} from={`${path}.trainedWeights`} as={count} />
                      )}
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </Scroll>
        <Source>
          <code>results.json</code> → <code>{split.place}</code>. NLL: negative log-likelihood in nats; ECE: expected
          calibration error. Differences are paired by clip; p from sign flips.
        </Source>
      </details>
    </>
  )
  if (split.excluded.length > 0) {
    return (
      <details>
        <summary>{heading}</summary>
        <div class="panel">{content}</div>
      </details>
    )
  }
  return (
    <div class="panel">
      <h3>{heading}</h3>
      {content}
    </div>
  )
}
