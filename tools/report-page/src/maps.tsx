/** Where the classifier's first layer puts the clips, with and without four-tiered prompts (Figures B4 and B5 of the paper). */

import * as Plot from "@observablehq/plot"
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks"
import { useClips } from "./clips.tsx"
import type { page } from "./data.ts"
import { percent, plural } from "./format.ts"
import { colourOf, Empty, Figure, MOST_MARKED, Section, Source, symbolOf } from "./parts.tsx"

type Point = page.Inspection["maps"][number]["points"][number]

export function Maps({ run }: { run: page.RunData }) {
  const maps = run.inspection?.maps ?? []
  const classes = run.inspection?.classes ?? []
  const [chosen, choose] = useState<number | null>(null)
  const [trained, setTrained] = useState(false)
  const [at, setAt] = useState<string | null>(null)
  const anyTrained = maps.some(({ points }) => points.some(({ part }) => part === "train"))
  const anyTested = maps.some(({ points }) => points.some(({ part }) => part === "test"))
  const present = [...new Set(maps.flatMap(({ points }) => points.map(({ label }) => label)))].toSorted((a, b) => a - b)
  const marked = classes.length <= MOST_MARKED
  return (
    <Section
      id="maps"
      title="A map of the clips"
      lead="Each point is a clip, placed by what the classifier's first layer makes of it: neighbours there are neighbours here (UMAP; directions and distances between far points mean nothing)."
    >
      {maps.length === 0 ? (
        <Empty>No map: there are fewer than five clips, or the method has no layers of its own.</Empty>
      ) : (
        <>
          <div class="tools">
            {anyTrained && anyTested ? (
              <label>
                <input
                  type="checkbox"
                  checked={trained}
                  onChange={(event) => setTrained(event.currentTarget.checked)}
                />
                show training clips too (hollow)
              </label>
            ) : null}
            {marked ? null : (
              <label>
                Class
                <select
                  value={chosen ?? ""}
                  onChange={(event) =>
                    choose(event.currentTarget.value === "" ? null : Number(event.currentTarget.value))
                  }
                >
                  <option value="">all, too many for colours</option>
                  {present.map((c) => (
                    <option key={c} value={c}>
                      {classes[c]}
                    </option>
                  ))}
                </select>
              </label>
            )}
          </div>
          {marked ? (
            <ul class="key" aria-label="Classes; choose one to bring it out">
              {present.map((c) => (
                <li key={c}>
                  <button type="button" aria-pressed={chosen === c} onClick={() => choose(chosen === c ? null : c)}>
                    <Mark c={c} />
                    {classes[c]}
                  </button>
                </li>
              ))}
            </ul>
          ) : null}
          <div class="row">
            {maps.map((map) => (
              <ClipMap
                key={map.method}
                map={map}
                classes={classes}
                chosen={chosen}
                trained={trained || !anyTested}
                marked={marked}
                at={at}
                setAt={setAt}
              />
            ))}
          </div>
          <Pointed run={run} id={at} />
          <Source>
            <code>report/inspection.json</code> → <code>maps</code>: {maps[0].split}, seed {run.inspection?.seed}. Both
            maps show the same clips; the second network is the same without processors, trained on the same labels.
            Nearest neighbours are measured in the full feature space, on clips that were not trained on.
          </Source>
        </>
      )}
    </Section>
  )
}

const Mark = ({ c }: { c: number }) => {
  const place = useRef<SVGSVGElement>(null)
  useEffect(() => {
    const plot = Plot.plot({
      width: 14,
      height: 14,
      margin: 0,
      axis: null,
      x: { domain: [-1, 1] },
      y: { domain: [-1, 1] },
      marks: [Plot.dot([[0, 0]], { symbol: symbolOf(c), r: 5, fill: colourOf(c) })],
    })
    place.current?.replaceChildren(...plot.childNodes)
  }, [c])
  return <svg ref={place} width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" />
}

function ClipMap({
  map,
  classes,
  chosen,
  trained,
  marked,
  at,
  setAt,
}: {
  map: page.Inspection["maps"][number]
  classes: readonly string[]
  chosen: number | null
  trained: boolean
  marked: boolean
  at: string | null
  setAt: (id: string | null) => void
}) {
  const { open } = useClips()
  const points = useMemo(() => map.points.filter(({ part }) => trained || part === "test"), [map, trained])
  const colour = useCallback(
    ({ label }: Point) =>
      chosen === null
        ? marked
          ? colourOf(label)
          : "var(--s6)"
        : label === chosen
          ? marked
            ? colourOf(label)
            : "var(--s1)"
          : "var(--strong-line)",
    [chosen, marked],
  )
  const draw = useCallback(
    (width: number) => ({
      height: Math.min(width, 460),
      margin: 14,
      axis: null,
      x: { domain: [-1.06, 1.06] },
      y: { domain: [-1.06, 1.06] },
      marks: [
        Plot.frame({ stroke: "var(--line)", rx: 8 }),
        Plot.dot(points, {
          x: "x",
          y: "y",
          r: points.length > 250 ? 3.2 : 4.6,
          symbol: (d: Point) => (marked ? symbolOf(d.label) : "circle"),
          fill: (d: Point) => (d.part === "test" ? colour(d) : "none"),
          stroke: (d: Point) => colour(d),
          strokeWidth: 1.3,
          fillOpacity: 0.85,
          sort: (d: Point) => (d.label === chosen ? 1 : 0),
        }),
        Plot.dot(points, Plot.pointer({ x: "x", y: "y", r: 9, stroke: "var(--ink)", strokeWidth: 2, maxRadius: 30 })),
        Plot.dot(
          points.filter(({ id }) => id === at),
          { x: "x", y: "y", r: 9, stroke: "var(--ink)", strokeWidth: 1.2, strokeDasharray: "2,2" },
        ),
      ],
    }),
    [points, colour, chosen, marked, at],
  )
  const last = useRef<string | null>(null)
  const pointed = useCallback((value: unknown) => {
    const id = isPoint(value) ? value.id : null
    if (id !== null) last.current = id
  }, [])
  const order = useMemo(() => points.toSorted((a, b) => a.label - b.label || (a.id < b.id ? -1 : 1)), [points])
  const step = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (event.key === "Enter" && at !== null) {
      // the key that opens a clip must not press the button that closes it
      event.preventDefault()
      open(at)
    }
    if (by === undefined || order.length === 0) return
    event.preventDefault()
    const now = order.findIndex(({ id }) => id === at)
    setAt(order[(now + by + order.length) % order.length].id)
  }
  const { nearest } = map
  return (
    <div class="panel">
      <h3>{map.method === "baseline" ? "without prompts (baseline)" : `with prompts (${map.method})`}</h3>
      <div
        role="application"
        aria-label={`Map of ${plural(points.length, "clip")}; arrow keys go from clip to clip, Enter opens one`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes the keys of the whole plot
        tabIndex={0}
        onKeyDown={step}
        onPointerMove={() => last.current !== null && last.current !== at && setAt(last.current)}
        onClick={() => last.current !== null && open(last.current)}
      >
        <Figure label={`Clips of ${classes.length} classes as points`} draw={draw} onPoint={pointed} />
      </div>
      {nearest ? (
        <p class="range">
          The nearest other clip is of the same class for {percent(nearest.value)} % [{percent(nearest.low)},{" "}
          {percent(nearest.high)}] of {nearest.clips} test clips; by chance {percent(nearest.chance)} %.
        </p>
      ) : null}
    </div>
  )
}

function isPoint(value: unknown): value is Point {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string"
}

/** The clip under the pointer. */
function Pointed({ run, id }: { run: page.RunData; id: string | null }) {
  const { open } = useClips()
  const clip = id === null ? null : run.clips[id]
  return (
    <div class="pointed noprint" aria-live="polite">
      {id === null ? (
        <p class="range">Point at a clip, or focus a map and use the arrow keys.</p>
      ) : (
        <button type="button" class="strip" onClick={() => open(id)}>
          {clip?.strip ? (
            <img src={clip.strip} alt="" class="whole" />
          ) : (
            <span class="nopicture">no picture of {clip?.path ?? id}</span>
          )}
          <span class="range">
            {clip?.label ?? ""} · {clip?.path ?? id}
          </span>
        </button>
      )}
    </div>
  )
}
