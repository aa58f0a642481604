/** Class by class: which are taken for which, and where the method gains on the baseline. */

import * as Plot from "@observablehq/plot"
import { useCallback, useMemo, useState } from "preact/hooks"
import { Card } from "./clips.tsx"
import { methodOf, type page, pathOf, wholeSplits } from "./data.ts"
import { percent, plural, points, shorten } from "./format.ts"
import { Choose, Empty, Figure, Range, Scroll, Section, Source, Val } from "./parts.tsx"

/** Classes that a matrix shows: with more, those that are confused most. */
const MOST_CLASSES = 24
/** Clips of a cell that are shown. */
const MOST_CLIPS = 24

export function Confusion({ run }: { run: page.RunData }) {
  const splits = wholeSplits(run)
  const [name, setName] = useState(splits[0]?.split ?? "")
  const split = splits.find((one) => one.split === name) ?? splits[0]
  const own = split && methodOf(split, run.results?.reference ?? "")
  return (
    <Section
      id="confusion"
      title="Which classes are taken for which"
      lead="Rows are the true classes, columns what the method says. Choose a cell to see its clips."
    >
      {splits.length > 1 ? (
        <div class="tools">
          <Choose
            label="Test part"
            value={split?.split ?? ""}
            options={splits.map((one) => one.split)}
            onChange={setName}
          />
        </div>
      ) : null}
      {split && own?.confusion && own.confusion.length > 0 ? (
        <Matrix key={split.split} run={run} split={split} own={own} cells={own.confusion} />
      ) : (
        <Empty>There is no confusion matrix without tested clips.</Empty>
      )}
    </Section>
  )
}

type Cell = [truth: number, said: number]

function Matrix({
  run,
  split,
  own,
  cells,
}: {
  run: page.RunData
  split: page.PageSplit
  own: page.PageMethod
  cells: NonNullable<page.PageMethod["confusion"]>
}) {
  const [chosen, choose] = useState<Cell | null>(null)
  const { shown, counts, totals } = useMemo(() => prepare(split.classes.length, cells), [split, cells])
  const pairs = cells.filter(([truth, said]) => truth !== said).toSorted((a, b) => b[2] - a[2])
  return (
    <>
      {shown.length < split.classes.length ? (
        <p class="text range">
          The {shown.length} of {split.classes.length} classes that take part in most mistakes; the list below names the
          pairs.
        </p>
      ) : null}
      <Scroll label="Confusion matrix">
        <table class="matrix">
          <caption class="hidden">
            Counts of {own.method} on {split.split}: rows are true classes, columns what was said
          </caption>
          <thead>
            <tr>
              <td />
              {shown.map((c) => (
                <th scope="col" key={c} title={split.classes[c]}>
                  <div>{shorten(split.classes[c], 22)}</div>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((truth) => (
              <tr key={truth}>
                <th scope="row" title={split.classes[truth]}>
                  {shorten(split.classes[truth], 22)}
                </th>
                {shown.map((said) => {
                  const count = counts.get(`${truth} ${said}`) ?? 0
                  const share = count / Math.max(1, totals[truth])
                  const pressed = chosen?.[0] === truth && chosen[1] === said
                  return (
                    <td key={said} class={truth === said ? "right" : ""}>
                      {count === 0 ? (
                        <span class="none" />
                      ) : (
                        <button
                          type="button"
                          class={share > 0.55 ? "strong" : ""}
                          style={{ "--share": `${Math.round(12 + 88 * share)}%` }}
                          aria-pressed={pressed}
                          aria-label={`${split.classes[truth]} taken for ${split.classes[said]}: ${count}`}
                          onClick={() => choose(pressed ? null : [truth, said])}
                        >
                          {count}
                        </button>
                      )}
                    </td>
                  )
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <Source>
        <code>results.json</code> → <code>{pathOf(split, own)}.confusion</code>
        {own.seeds.length > 1 ? `, counts over ${own.seeds.length} seeds` : ""}
      </Source>
      <div aria-live="polite">{chosen ? <CellClips run={run} split={split} cell={chosen} /> : null}</div>
      {pairs.length > 0 ? (
        <details>
          <summary>The most frequent confusions as a list</summary>
          <Scroll label="Confusions">
            <table>
              <thead>
                <tr>
                  <th scope="col">true class</th>
                  <th scope="col">taken for</th>
                  <th scope="col" class="n">
                    times
                  </th>
                  <th scope="col" class="n">
                    % of the class
                  </th>
                </tr>
              </thead>
              <tbody>
                {pairs.slice(0, 30).map(([truth, said, count]) => (
                  <tr key={`${truth} ${said}`}>
                    <th scope="row">
                      <button type="button" class="button" onClick={() => choose([truth, said])}>
                        {split.classes[truth]}
                      </button>
                    </th>
                    <td>{split.classes[said]}</td>
                    <td class="n">{count}</td>
                    <td class="n">{percent(count / Math.max(1, totals[truth]))}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </details>
      ) : (
        <p class="text">No clip of this test part was taken for another class.</p>
      )}
    </>
  )
}

function prepare(classes: number, cells: NonNullable<page.PageMethod["confusion"]>) {
  const counts = new Map(cells.map(([truth, said, count]) => [`${truth} ${said}`, count]))
  const totals = Array<number>(classes).fill(0)
  const mistakes = Array<number>(classes).fill(0)
  for (const [truth, said, count] of cells) {
    totals[truth] += count
    if (truth !== said) for (const c of [truth, said]) mistakes[c] += count
  }
  const tested = [...Array(classes).keys()].filter((c) => totals[c] > 0 || mistakes[c] > 0)
  const ranked = tested.toSorted((a, b) => mistakes[b] - mistakes[a]).slice(0, MOST_CLASSES)
  return { counts, totals, shown: tested.length > MOST_CLASSES ? ranked.toSorted((a, b) => a - b) : tested }
}

function CellClips({ run, split, cell: [truth, said] }: { run: page.RunData; split: page.PageSplit; cell: Cell }) {
  const predictions = run.predictions.find((one) => one.split === split.split)
  const rows = predictions?.rows.filter(([, label, own]) => label === truth && own === said) ?? []
  const unique = [...new Map(rows.map((row) => [row[0], row])).values()]
  const [from, to] = [split.classes[truth], split.classes[said]]
  return (
    <div class="panel" id="confusion-clips">
      <h3>
        {truth === said ? `${from}, rightly recognised` : `${from} taken for ${to}`}: {plural(unique.length, "clip")}
      </h3>
      {unique.length === 0 ? (
        <Empty>
          The page holds {predictions?.rows.length ?? 0} of {predictions?.all ?? 0} predictions, mistakes first; none of
          these.
        </Empty>
      ) : null}
      <ul class="cards">
        {unique.slice(0, MOST_CLIPS).map(([id, , , probability]) => (
          <Card key={id} id={id} label={from} said={to} probability={probability} />
        ))}
      </ul>
      {unique.length > MOST_CLIPS ? (
        <p class="range">and {unique.length - MOST_CLIPS} more in predictions.csv</p>
      ) : null}
    </div>
  )
}

/** Classes on each side of a plot of gains where there are too many for all. */
const SIDE = 15

export function Gains({ run }: { run: page.RunData }) {
  const [split] = wholeSplits(run)
  const own = split && methodOf(split, run.results?.reference ?? "")
  const others =
    split?.methods.filter((method) => method !== own && method.classes !== null).map(({ method }) => method) ?? []
  const [name, setName] = useState(others.includes("baseline") ? "baseline" : (others[0] ?? ""))
  const other = split && methodOf(split, name)
  const rows = useMemo(() => gainsOf(own, other), [own, other])
  const many = rows.length > 2 * SIDE
  const shown = useMemo(() => (many ? [...rows.slice(0, SIDE), ...rows.slice(-SIDE)] : rows), [rows, many])
  const draw = useCallback(
    (width: number) => ({
      height: 40 + 22 * shown.length,
      marginLeft: width < 520 ? 118 : 190,
      marginRight: 44,
      marginTop: 24,
      marginBottom: 6,
      x: { label: null, axis: "top" as const, grid: true, domain: domainOf(shown.map(({ gain }) => 100 * gain)) },
      y: {
        domain: shown.map(({ name }) => name),
        label: null,
        tickSize: 0,
        tickFormat: (text: string) => shorten(text, width < 520 ? 17 : 28),
      },
      marks: [
        Plot.barX(shown, {
          y: "name",
          x: (d) => 100 * d.gain,
          fill: (d) => (d.gain >= 0 ? "var(--s0)" : "var(--s1)"),
          insetTop: 2,
          insetBottom: 2,
          rx: 2,
        }),
        Plot.text(shown, {
          y: "name",
          x: (d) => 100 * d.gain,
          text: (d) => points(d.gain),
          textAnchor: "start",
          dx: 5,
          filter: (d) => d.gain >= 0,
          fill: "var(--ink)",
        }),
        Plot.text(shown, {
          y: "name",
          x: (d) => 100 * d.gain,
          text: (d) => points(d.gain),
          textAnchor: "end",
          dx: -5,
          filter: (d) => d.gain < 0,
          fill: "var(--ink)",
        }),
        Plot.ruleX([0], { stroke: "var(--ink)" }),
      ],
    }),
    [shown],
  )
  return (
    <Section
      id="gains"
      title="Gains class by class"
      lead="Accuracy of each class less that of another method, in points (Figures B1 to B3 of the paper). A class with few clips moves far by chance: the table has the counts and intervals."
    >
      {!split || !own?.classes || !other?.classes ? (
        <Empty>
          There is no second method to compare with: add <code>baseline</code> to the methods.
        </Empty>
      ) : (
        <>
          {others.length > 1 ? (
            <div class="tools">
              <Choose label={`${own.method} minus`} value={name} options={others} onChange={setName} />
            </div>
          ) : null}
          {many ? (
            <p class="range">
              The {SIDE} classes that gain most and the {SIDE} that gain least, of {rows.length}.
            </p>
          ) : null}
          <Figure
            label={`Gains of ${own.method} over ${name} by class; the table below has the same numbers`}
            draw={draw}
          />
          <details>
            <summary>All classes as a table</summary>
            <Scroll label="Accuracy of every class">
              <table class="wide">
                <thead>
                  <tr>
                    <th scope="col">class</th>
                    <th scope="col" class="n">
                      clips
                    </th>
                    <th scope="col" class="n">
                      {own.method} %
                    </th>
                    <th scope="col" class="n">
                      {name} %
                    </th>
                    <th scope="col" class="n">
                      gain
                    </th>
                    <th scope="col" class="n">
                      precision %
                    </th>
                    <th scope="col" class="n">
                      F1 %
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map(({ name: label, c, gain }) => {
                    const [mine, theirs] = [own.classes?.[c], other.classes?.[c]]
                    const path = `${pathOf(split, own)}.classes[${c}]`
                    return mine?.recall == null || theirs?.recall == null ? null : (
                      <tr key={label}>
                        <th scope="row">{label}</th>
                        <td class="n">{mine.support / Math.max(1, own.seeds.length)}</td>
                        <td class="n">
                          <Val n={mine.recall} from={`${path}.recall`} />{" "}
                          {mine.interval ? <Range interval={mine.interval} from={`${path}.interval`} /> : null}
                        </td>
                        <td class="n">
                          <Val n={theirs.recall} from={`${pathOf(split, other)}.classes[${c}].recall`} />
                        </td>
                        <td class="n">{points(gain)}</td>
                        <td class="n">
                          {mine.precision === null ? "–" : <Val n={mine.precision} from={`${path}.precision`} />}
                        </td>
                        <td class="n">{mine.f1 === null ? "–" : <Val n={mine.f1} from={`${path}.f1`} />}</td>
                      </tr>
                    )
                  })}
                </tbody>
              </table>
            </Scroll>
          </details>
          <Source>
            <code>results.json</code> → <code>{pathOf(split, own)}.classes</code> and{" "}
            <code>{pathOf(split, other)}.classes</code>
          </Source>
        </>
      )}
    </Section>
  )
}

function gainsOf(own: page.PageMethod | undefined, other: page.PageMethod | undefined) {
  const rows = own?.classes?.flatMap(({ name, recall }, c) => {
    const theirs = other?.classes?.[c]?.recall
    return recall === null || theirs == null ? [] : [{ name, c, gain: recall - theirs }]
  })
  return (rows ?? []).toSorted((a, b) => b.gain - a.gain)
}

/** Room for zero and for the numbers at the ends. */
function domainOf(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)]
  const margin = Math.max(2, 0.12 * (high - low))
  return [low < 0 ? low - margin : 0, high + margin]
}
