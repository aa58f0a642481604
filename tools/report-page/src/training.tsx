/** How it learned: curves of both stages, whether clips find their own answers, and what the words add. */

import * as Plot from "@observablehq/plot"
import { useCallback } from "preact/hooks"
import { methodOf, type page, pathOf, SHUFFLED } from "./data.ts"
import { chance, plural, points } from "./format.ts"
import { colourOf, Difference, Empty, Figure, Scroll, Section, Source, Val } from "./parts.tsx"
import { verdictOf } from "./verdict.ts"

/** Curves that are shown at once: those of both stages of the method, and of its baseline. */
const FIRST = ["stage 1: ", "full: ", "baseline: "]

export function Curves({ run }: { run: page.RunData }) {
  const main = run.curves.filter(({ panel }) => FIRST.some((start) => panel.startsWith(start)))
  const shown = main.length > 0 ? main : run.curves
  const rest = run.curves.filter((curve) => !shown.includes(curve))
  const stage1 = run.curves.some(({ panel }) => panel.startsWith("stage 1"))
  return (
    <Section
      id="curves"
      title="Learning curves"
      lead="Losses and scores over the updates of both stages; means over folds and seeds."
    >
      {stage1 || !run.about?.prompts.length ? null : (
        <p class="text range">
          Stage 1 has no curve here: it was solved in closed form (<code>align.start: ridge</code> without further
          epochs), or taken over from an earlier run on the same clips and answers. “Does a clip find its own answers?”
          shows how well it did.
        </p>
      )}
      {run.curves.length === 0 ? (
        <Empty>There are no training journals: nothing was trained by updates, or the files were removed.</Empty>
      ) : null}
      <div class="curves">
        {shown.map((curve) => (
          <Curve key={curve.panel} curve={curve} />
        ))}
      </div>
      {rest.length > 0 ? (
        <details>
          <summary>Curves of the other methods ({rest.length})</summary>
          <div class="curves">
            {rest.map((curve) => (
              <Curve key={curve.panel} curve={curve} />
            ))}
          </div>
        </details>
      ) : null}
      {run.curves.length > 0 ? (
        <Source>
          <code>trials/…/metrics.jsonl</code>
        </Source>
      ) : null}
    </Section>
  )
}

function Curve({ curve }: { curve: page.PageCurve }) {
  const draw = useCallback(() => {
    const points = curve.series.flatMap(({ name, points }) => points.map(([step, value]) => ({ name, step, value })))
    return {
      height: 190,
      marginLeft: 46,
      marginTop: 12,
      marginBottom: 34,
      marginRight: 12,
      x: { label: "update", labelArrow: "none" as const, ticks: 4, tickFormat: "~s" },
      y: { label: null, grid: true, ticks: 4, nice: true, tickFormat: "~g" },
      marks: [
        Plot.lineY(points, {
          x: "step",
          y: "value",
          z: "name",
          stroke: (d) => colourOf(curve.series.findIndex(({ name }) => name === d.name)),
          strokeWidth: 1.8,
        }),
        ...(points.length === curve.series.length
          ? [Plot.dot(points, { x: "step", y: "value", fill: "var(--s0)" })]
          : []),
        Plot.tip(
          points,
          Plot.pointerX({
            x: "step",
            y: "value",
            title: (d) => `${d.name}\nupdate ${Math.round(d.step)}\n${d.value}`,
            fill: "var(--ground)",
            stroke: "var(--strong-line)",
          }),
        ),
      ],
    }
  }, [curve])
  return (
    <div class="panel">
      <h3>{curve.panel}</h3>
      {curve.series.length > 1 ? (
        <ul class="key">
          {curve.series.map(({ name }, i) => (
            <li key={name}>
              <i style={{ background: colourOf(i) }} />
              {name}
            </li>
          ))}
        </ul>
      ) : null}
      <Figure label={`${curve.panel} over updates`} draw={draw} />
    </div>
  )
}

/** Mean over trainings of each prompt's figures. */
function byPrompt(rows: readonly page.RetrievalTrial[]) {
  const prompts = [...new Set(rows.flatMap(({ prompts }) => Object.keys(prompts)))]
  return prompts.map((prompt) => {
    const own = rows.flatMap(({ prompts }) => prompts[prompt] ?? [])
    const mean = (pick: (one: (typeof own)[number]) => number) =>
      own.reduce((sum, one) => sum + pick(one), 0) / own.length
    return { prompt, skill: mean(({ skill }) => skill), z: mean(({ z }) => z), weight: mean(({ weight }) => weight) }
  })
}

export function Retrieval({ run }: { run: page.RunData }) {
  const all = run.results?.retrieval ?? []
  const own = byPrompt(all.filter(({ answers }) => answers === ""))
  const other = byPrompt(all.filter(({ answers }) => answers !== ""))
  const texts = new Map(run.about?.prompts.map(({ id, text }) => [id, text]))
  const draw = useCallback(
    (width: number) => {
      const rows = [
        ...own.map((row) => ({ ...row, kind: "own answers" })),
        ...other.map((row) => ({ ...row, kind: "shuffled answers" })),
      ]
      return {
        height: 40 + own.length * 44,
        marginLeft: 34,
        marginTop: 24,
        marginBottom: 6,
        x: {
          domain: [Math.min(0, ...rows.map(({ skill }) => skill)), 1],
          label: null,
          axis: "top" as const,
          grid: true,
          ticks: width < 420 ? 4 : 6,
        },
        y: { axis: null },
        fy: { label: null, axis: "left" as const, padding: 0.25 },
        marks: [
          Plot.barX(rows, {
            x: "skill",
            y: "kind",
            fy: "prompt",
            fill: (d) => (d.kind === "own answers" ? "var(--s0)" : "var(--s6)"),
            fillOpacity: 0.85,
            insetTop: 1,
            insetBottom: 1,
            rx2: 2,
          }),
          Plot.ruleX([0], { stroke: "var(--ink)" }),
        ],
      }
    },
    [run],
  )
  return (
    <Section
      id="retrieval"
      title="Does a clip find its own answers?"
      lead="Stage 1 predicts the text embedding of a clip's answers from what the clip looks like. Held-out clips then search for their own answers among all: 1 means always first, 0 as by chance."
    >
      {own.length === 0 ? (
        <Empty>
          Not measured: there are no prompts, or stage 1 was trained without a closed-form start, which measures it.
        </Empty>
      ) : (
        <div class="row">
          <div class="panel">
            <ul class="key">
              <li>
                <i style={{ background: "var(--s0)" }} />
                own answers
              </li>
              {other.length > 0 ? (
                <li>
                  <i style={{ background: "var(--s6)" }} />
                  answers about other clips (control)
                </li>
              ) : null}
            </ul>
            <Figure label="How well held-out clips find their own answers, by prompt" draw={draw} />
          </div>
          <div class="panel">
            <Scroll label="Retrieval by prompt">
              <table class="wide">
                <thead>
                  <tr>
                    <th scope="col">prompt</th>
                    <th scope="col" class="n">
                      found
                    </th>
                    <th scope="col" class="n">
                      std. errors
                    </th>
                    <th scope="col" class="n">
                      weight
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {own.map((row) => (
                    <tr key={row.prompt}>
                      <th scope="row">
                        {row.prompt} <span class="range">{texts.get(row.prompt) ?? ""}</span>
                      </th>
                      <td class="n">{row.skill.toFixed(2)}</td>
                      <td class="n">{row.z.toFixed(1)}</td>
                      <td class="n">{row.weight.toFixed(2)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Scroll>
            <Source>
              <code>results.json</code> → <code>retrieval</code>, means over{" "}
              {plural(all.filter(({ answers }) => answers === "").length, "training")}. Weight: how much the language
              classifier counts the prompt.
            </Source>
          </div>
        </div>
      )}
    </Section>
  )
}

export function Words({ run }: { run: page.RunData }) {
  const splits = [...(run.results?.means ?? []), ...(run.results?.splits ?? [])]
  const rows = splits.flatMap((split) => {
    const control = methodOf(split, SHUFFLED)
    const difference = control?.difference?.top1
    return control && difference && run.results?.reference === "full" ? [{ split, control, difference }] : []
  })
  const draw = useCallback(
    (width: number) => {
      const data = splits
        .flatMap((split) =>
          split.methods.flatMap(({ method, difference }) =>
            difference?.top1 ? [{ part: nameOf(split), method, ...difference.top1 }] : [],
          ),
        )
        .filter(({ part }) => part === nameOf(splits[0]))
      return {
        height: 34 + 26 * data.length,
        marginLeft: width < 520 ? 128 : 178,
        marginTop: 24,
        marginBottom: 6,
        marginRight: 16,
        x: {
          label: null,
          axis: "top" as const,
          grid: true,
          tickFormat: (x: number) => points(x / 100).replace(/\.0$/, ""),
        },
        y: { domain: data.map(({ method }) => method), label: null, tickSize: 0 },
        marks: [
          Plot.ruleX([0], { stroke: "var(--ink)" }),
          Plot.ruleY(data, {
            y: "method",
            x1: (d) => 100 * d.low,
            x2: (d) => 100 * d.high,
            stroke: (d) => (d.low > 0 ? "var(--s2)" : d.high < 0 ? "var(--s1)" : "var(--s6)"),
            strokeWidth: 3,
            strokeOpacity: 0.5,
          }),
          Plot.dot(data, {
            y: "method",
            x: (d) => 100 * d.value,
            r: 4.5,
            fill: (d) => (d.low > 0 ? "var(--s2)" : d.high < 0 ? "var(--s1)" : "var(--s6)"),
          }),
        ],
      }
    },
    [run],
  )
  return (
    <Section
      id="words"
      title="What the words add"
      lead="The control trains the same network on the same clips, but every training clip has the answers about another one. What the method has above it comes from what the words say, not from having more weights."
    >
      {rows.length === 0 ? (
        <Empty>
          Not measured: the methods {run.results ? "" : "of a run that has been tested "}must hold both{" "}
          <code>full</code> and its control <code>full-shuffled</code>.
        </Empty>
      ) : (
        <>
          <Scroll label="What the words add">
            <table>
              <thead>
                <tr>
                  <th scope="col">test</th>
                  <th scope="col" class="n">
                    full − shuffled answers, points
                  </th>
                  <th scope="col" class="n">
                    p
                  </th>
                  <th scope="col">so</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(({ split, control, difference }) => (
                  <tr key={nameOf(split)}>
                    <th scope="row">{nameOf(split)}</th>
                    <td class="n">
                      <Difference interval={difference} from={`${pathOf(split, control)}.difference.top1`} />
                    </td>
                    <td class="n">
                      <Val n={difference.p} from={`${pathOf(split, control)}.difference.top1.p`} as={chance} />
                    </td>
                    <td>
                      {
                        {
                          more: "the words help",
                          less: "the words hurt",
                          leaning: "not settled by so few groups",
                          open: "may be chance",
                        }[verdictOf(difference).kind]
                      }
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
          <div class="panel">
            <h3>
              {run.results?.reference} minus each method, {nameOf(splits[0])}, in points
            </h3>
            <Figure
              label="Differences to every method with intervals; the table of figures has the same numbers"
              draw={draw}
            />
          </div>
          <Source>
            <code>results.json</code> → <code>splits[…].methods[…].difference.top1</code>
          </Source>
        </>
      )}
    </Section>
  )
}

const nameOf = (split: page.PageSplit) =>
  `${split.split}${split.excluded.length > 0 ? ` without ${split.excluded.join(", ")}` : ""}`
