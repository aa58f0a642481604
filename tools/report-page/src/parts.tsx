/** Small parts that all sections use. */

import * as Plot from "@observablehq/plot"
import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { page } from "./data.ts"
import { percent, points } from "./format.ts"

/** A number of `results.json`, with where it stands there. */
export function Val({ n, from, as = percent }: { n: number; from: string; as?: (n: number) => string }) {
  return (
    <data value={n} data-from={from} title={`results.json: ${from}`}>
      {as(n)}
    </data>
  )
}

/** "[81.7, 95.0]" */
export function Range({
  interval,
  from,
  as = percent,
}: {
  interval: page.Interval
  from: string
  as?: (n: number) => string
}) {
  return (
    <span class="range">
      [<Val n={interval.low} from={`${from}.low`} as={as} />, <Val n={interval.high} from={`${from}.high`} as={as} />]
    </span>
  )
}

/** "+5.0 [−1.7, +11.7]" */
export function Difference({ interval, from }: { interval: page.Interval; from: string }) {
  return (
    <>
      <Val n={interval.value} from={`${from}.value`} as={points} />{" "}
      <Range interval={interval} from={from} as={points} />
    </>
  )
}

export function Section({
  id,
  title,
  lead,
  children,
}: {
  id: string
  title: string
  lead?: ComponentChildren
  children: ComponentChildren
}) {
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`} tabIndex={-1}>
        {title}
      </h2>
      {lead ? <p class="lead">{lead}</p> : null}
      {children}
    </section>
  )
}

export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>

export const Source = ({ children }: { children: ComponentChildren }) => <p class="source">From {children}</p>

/** A region that scrolls sideways where it is too wide, and can then be reached by keyboard. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
    <section class="scroll bare" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}

/** One of several, by its name. */
export function Choose({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: string
  options: readonly string[]
  onChange: (value: string) => void
}) {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  )
}

export type PlotOptions = Plot.PlotOptions

/** A plot as wide as its place, drawn anew when that changes. `draw` is given the width in pixels. */
export function Figure({
  label,
  draw,
  onPoint,
}: {
  label: string
  draw: (width: number) => PlotOptions
  onPoint?: (value: unknown) => void
}) {
  const place = useRef<HTMLDivElement>(null)
  const width = useWidth(place)
  useEffect(() => {
    const element = place.current
    if (!element || width === 0) return
    const figure = Plot.plot({
      ...draw(width),
      width,
      ariaLabel: label,
      style: { background: "transparent", fontSize: "12px" },
    })
    figure.setAttribute("role", "img")
    for (const part of figure.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label")
    if (onPoint) figure.addEventListener("input", () => onPoint(figure.value))
    element.replaceChildren(figure)
    return () => figure.remove()
  }, [width, draw, label, onPoint])
  return <div class="plot" ref={place} />
}

function useWidth(place: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const element = place.current
    if (!element) return
    const measure = () => setWidth(Math.floor(element.clientWidth))
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [place])
  return width
}

/** Colours of series and classes, safe for colour-blind readers; beyond seven, shapes tell them apart. */
export const COLOURS = ["var(--s0)", "var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)"]
const SYMBOLS = ["circle", "square", "triangle", "diamond2", "star", "cross", "wye"] as const
export const colourOf = (i: number) => COLOURS[i % COLOURS.length]
export const symbolOf = (i: number) => SYMBOLS[(i + Math.floor(i / COLOURS.length)) % SYMBOLS.length]
/** Classes that colour and shape tell apart. */
export const MOST_MARKED = COLOURS.length * SYMBOLS.length

/** A bar and its number. */
export function Meter({ share, kind = "", text = percent(share) }: { share: number; kind?: string; text?: string }) {
  return (
    <span class={`meter ${kind}`}>
      <i aria-hidden="true">
        <b style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
      </i>
      <span class="num">{text}</span>
    </span>
  )
}

export const Tile = ({
  name,
  children,
  note,
}: {
  name: string
  children: ComponentChildren
  note: ComponentChildren
}) => (
  <div class="tile">
    <dt>{name}</dt>
    <dd>
      {children}
      <small>{note}</small>
    </dd>
  </div>
)
