/** How it was tested: fold by fold and seed by seed, and what the views of a clip cost. */

import * as Plot from "@observablehq/plot"
import { useCallback } from "preact/hooks"
import { methodOf, type page, partsOf, pathOf, wholeTables } from "./data.ts"
import { count, percent, plural, shorten } from "./format.ts"
import { Figure, Meter, Scroll, Section, Source, Val } from "./parts.tsx"

/** Each fold and seed by itself; nothing where there is one of each. */
export function Folds({ run }: { run: page.RunData }) {
  const tables = wholeTables(run).flatMap((split) => {
    const own = methodOf(split, run.results?.reference ?? "")
    return own && (own.perFold.length > 1 || own.perSeed.length > 1) ? [{ split, own }] : []
  })
  if (tables.length === 0) return null
  return (
    <Section
      id="folds"
      title="Fold by fold, seed by seed"
      lead="The same method on other test clips, and trained again from other random numbers. What is far from the others here is chance, or a part of the data that is unlike the rest."
    >
      {tables.map(({ split, own }) => (
        <div class="panel" key={split.place}>
          <h3>{split.split}</h3>
          {own.perFold.length > 1 ? <Parts split={split} own={own} /> : null}
          {own.perSeed.length > 1 ? <Seeds split={split} /> : null}
        </div>
      ))}
    </Section>
  )
}

function Parts({ split, own }: { split: page.PageSplit; own: page.PageMethod }) {
  const name = partsOf(split)
  const draw = useCallback(
    (width: number) => {
      const rows = split.methods.flatMap(({ method, perFold }) =>
        perFold.map(({ fold, top1 }) => ({ method, fold, top1, own: method === own.method })),
      )
      const means = split.methods.flatMap(({ method, figures }) =>
        figures.top1 ? [{ method, value: figures.top1.value }] : [],
      )
      const narrow = width < 520
      return {
        height: 34 + 26 * split.methods.length,
        marginLeft: narrow ? 128 : 178,
        marginRight: 16,
        marginTop: 24,
        marginBottom: 6,
        x: { domain: [0, 100], label: null, axis: "top" as const, grid: true, ticks: narrow ? 5 : 10 },
        y: {
          domain: split.methods.map(({ method }) => method),
          label: null,
          tickSize: 0,
          tickFormat: (text: string) => shorten(text, narrow ? 19 : 27),
        },
        marks: [
          Plot.dot(rows, {
            y: "method",
            x: (d) => 100 * d.top1,
            r: 4,
            fill: (d) => (d.own ? "var(--s0)" : "var(--s6)"),
            fillOpacity: 0.45,
          }),
          Plot.tickX(means, { y: "method", x: (d) => 100 * d.value, stroke: "var(--ink)", strokeWidth: 2, inset: 5 }),
        ],
      }
    },
    [split, own],
  )
  const sorted = own.perFold.toSorted((a, b) => a.top1 - b.top1)
  const [worst, best] = [sorted[0], sorted[sorted.length - 1]]
  const fewest = Math.min(...own.perFold.map(({ clips }) => clips))
  return (
    <>
      <p class="text">
        {own.method} is right for {percent(worst.top1)} % of {worst.fold} and for {percent(best.top1)} % of {best.fold};{" "}
        one clip of the smallest of these {name} is {percent(1 / Math.max(1, fewest))} points.
      </p>
      <Figure
        label={`Accuracy of every method on each of the ${name} of ${split.split}, in per cent; the table has the same numbers`}
        draw={draw}
      />
      <p class="source">Accuracy in %: a point for each of the {name}, a line for the figure of all.</p>
      <details>
        <summary>
          The {name} as a table ({own.perFold.length})
        </summary>
        <Scroll label={`Accuracy on each of the ${name} of ${split.split}`}>
          <table class="wide">
            <thead>
              <tr>
                <th scope="col">top-1 % on</th>
                <th scope="col" class="n">
                  clips
                </th>
                {split.methods.map(({ method }) => (
                  <th scope="col" class="n several" key={method}>
                    {method}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {own.perFold.map(({ fold, clips }, i) => (
                <tr key={fold}>
                  <th scope="row">{fold}</th>
                  <td class="n">
                    <Val n={clips} from={`${pathOf(split, own)}.perFold[${i}].clips`} as={String} />
                  </td>
                  {split.methods.map((method) => (
                    <Accuracy
                      key={method.method}
                      list={method.perFold}
                      at={method.perFold.findIndex((one) => one.fold === fold)}
                      from={`${pathOf(split, method)}.perFold`}
                    />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </details>
      <Source>
        <code>results.json</code> → <code>{split.place}.methods[…].perFold</code>
      </Source>
    </>
  )
}

function Seeds({ split }: { split: page.PageSplit }) {
  const seeds = [...new Set(split.methods.flatMap(({ perSeed }) => perSeed.map(({ seed }) => seed)))].toSorted(
    (a, b) => a - b,
  )
  return (
    <>
      <Scroll label={`Accuracy by seed on ${split.split}`}>
        <table class="wide">
          <thead>
            <tr>
              <th scope="col">top-1 %</th>
              {seeds.map((seed) => (
                <th scope="col" class="n" key={seed}>
                  seed {seed}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {split.methods.map((method) => (
              <tr key={method.method}>
                <th scope="row">{method.method}</th>
                {seeds.map((seed) => (
                  <Accuracy
                    key={seed}
                    list={method.perSeed}
                    at={method.perSeed.findIndex((one) => one.seed === seed)}
                    from={`${pathOf(split, method)}.perSeed`}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <Source>
        <code>results.json</code> → <code>{split.place}.methods[…].perSeed</code>
      </Source>
    </>
  )
}

function Accuracy({ list, at, from }: { list: readonly { top1: number }[]; at: number; from: string }) {
  const found = list[at]
  return <td class="n">{found ? <Val n={found.top1} from={`${from}[${at}].top1`} /> : "–"}</td>
}

/** What it costs to test a clip. */
export function Views({ run }: { run: page.RunData }) {
  const views = run.results?.views
  if (!views) return null
  const { clips, crops, frames, resolution, encoder, networks } = views
  const most = Math.max(1e-12, ...networks.map(({ tflops }) => tflops))
  const published = networks.some((network) => network.published !== null)
  const looks =
    clips * crops === 1
      ? "once"
      : `${clips * crops} times (${plural(clips, "stretch", "stretches")} of time × ${plural(crops, "crop")}), and the probabilities are averaged`
  return (
    <Section
      id="cost"
      title="What an answer costs"
      lead={`Every test clip is looked at ${looks}: ${frames} frames of ${resolution[1]} × ${resolution[0]} pixels each time.`}
    >
      <Scroll label="Size and multiply-adds of the networks">
        <table class="wide">
          <thead>
            <tr>
              <th scope="col">network</th>
              <th scope="col" class="n">
                weights
              </th>
              <th scope="col" class="n">
                multiply-adds of a view
              </th>
              <th scope="col" class="n">
                of a clip, 10¹²
              </th>
              <th scope="col">
                <span class="hidden">share of the largest</span>
              </th>
              {published ? <th scope="col">in the paper</th> : null}
            </tr>
          </thead>
          <tbody>
            {networks.map(({ name, weights, macs, tflops, published: table }, i) => {
              const place = `views.networks[${i}]`
              return (
                <tr key={name}>
                  <th scope="row">
                    {name}
                    {name === "encoder" ? <span class="range"> {encoder}, frozen</span> : null}
                  </th>
                  <td class="n">
                    <Val n={weights} from={`${place}.weights`} as={count} />
                  </td>
                  <td class="n">
                    <Val n={macs} from={`${place}.macs`} as={count} />
                  </td>
                  <td class="n">
                    <Val n={tflops} from={`${place}.tflops`} as={(n) => n.toPrecision(3)} />
                  </td>
                  <td style={{ width: "22%" }}>
                    <Meter share={tflops / most} text="" />
                  </td>
                  {published ? (
                    <td>
                      {table
                        ? `${table.name}, ${table.table}: ${table.weights ?? "–"} M weights, ${table.tflops} × 10¹²`
                        : "–"}
                    </td>
                  ) : null}
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
      <Source>
        <code>results.json</code> → <code>views</code>. A method counts with the encoder below it.
      </Source>
    </Section>
  )
}
