/** Small charts as SVG text: heat map, grouped bars with error bars, panels of lines. */

import { document, dot, rectangle, segment, seriesClass, shorten, stroke, text, textWidth, widest } from "./svg.ts"

/** Round tick values that span the range, about `count` of them. */
export function ticks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low]
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999) ?? rough
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

function tickLabel(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(0).replace("e+", "e")
  return String(Number(value.toPrecision(4)))
}

export interface HeatMapOptions {
  title: string
  rows: readonly string[]
  columns: readonly string[]
  /** `[rows][columns]` shade of each cell, 0 to 1. */
  shades: readonly (readonly number[])[]
  /** `[rows][columns]` text of each cell, shown where cells are large enough. */
  texts: readonly (readonly string[])[]
  rowTitle: string
  columnTitle: string
}

/** A grid of shaded cells. With many rows the cells shrink, and their texts and the labels go. */
export function heatMap({ title, rows, columns, shades, texts, rowTitle, columnTitle }: HeatMapOptions): string {
  const most = Math.max(rows.length, columns.length)
  const cell = most <= 14 ? 44 : most <= 60 ? Math.max(13, 620 / most) : Math.max(2, 780 / most)
  const labelled = cell >= 9
  const size = Math.min(12, cell * 0.8)
  const [rowLabels, columnLabels] = [rows, columns].map((labels) =>
    labels.map((label) => (labelled ? shorten(label, 28) : "")),
  )
  const faintest = labelled ? 0.08 : 0.35
  const turned = widest(columnLabels, size) > cell - 4
  const [angle, rise, lean] = cell < 24 ? [-90, 1, 0] : [-46, 0.72, 0.7]
  const left = 34 + widest(rowLabels, size)
  const top = 52 + (turned ? widest(columnLabels, size) * rise + 10 : 18)
  const width = cell * columns.length
  const parts = [
    text(12, 24, title, { size: 15, bold: true }),
    text(left + width / 2, 44, columnTitle, { anchor: "middle" }),
    text(16, top + (cell * rows.length) / 2, rowTitle, { anchor: "middle", rotate: -90 }),
  ]
  columnLabels.forEach((label, c) => {
    const x = left + (c + 0.5) * cell
    parts.push(
      turned
        ? text(x + size * (lean > 0 ? 0.2 : 0.36), top - 5, label, { size, rotate: angle })
        : text(x, top - 6, label, { size, anchor: "middle" }),
    )
  })
  rows.forEach((row, r) => {
    const y = top + r * cell
    parts.push(text(left - 6, y + cell / 2 + size * 0.36, rowLabels[r], { size, anchor: "end" }))
    columns.forEach((column, c) => {
      const [shade, content] = [shades[r][c], texts[r][c]]
      if (shade <= 0) return
      const gap = cell > 8 ? 1 : 0
      const tip = `${row} → ${column}: ${content}`
      parts.push(
        rectangle(
          left + c * cell + gap,
          y + gap,
          cell - 2 * gap,
          cell - 2 * gap,
          "accent",
          faintest + (1 - faintest) * shade,
          tip,
        ),
      )
      const className = shade > 0.45 ? "on" : "ink"
      if (cell >= 24) {
        parts.push(text(left + (c + 0.5) * cell, y + cell / 2 + 4.5, content, { className, anchor: "middle" }))
      }
    })
  })
  const [right, bottom] = [left + width, top + cell * rows.length]
  const border: [number, number][] = [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
    [left, top],
  ]
  parts.push(stroke(border, "faint"))
  const overhang = turned ? widest(columnLabels.slice(-1), size) * lean : 0
  const wide = Math.max(
    right + 16 + overhang,
    24 + textWidth(title, 15.5),
    left + width / 2 + textWidth(columnTitle) / 2 + 8,
  )
  return document(wide, bottom + 16, title, parts)
}

export interface BarSeries {
  name: string
  /** One value per category; null leaves the place empty. */
  values: readonly (number | null)[]
  low?: readonly (number | null)[]
  high?: readonly (number | null)[]
}

export interface BarChartOptions {
  title: string
  categories: readonly string[]
  series: readonly BarSeries[]
  valueTitle: string
  /** Axis range; by default from 0 to the largest value or error bar. */
  range?: readonly [number, number]
}

/** Horizontal bars, grouped by category, with error bars. */
export function barChart({ title, categories, series, valueTitle, range }: BarChartOptions): string {
  const numbers = series
    .flatMap(({ values, low = [], high = [] }) => [...values, ...low, ...high])
    .filter((v) => v !== null)
  const [least, most] = range ?? [Math.min(0, ...numbers), Math.max(0, ...numbers) || 1]
  const thick = series.length > 1 ? 11 : 15
  const pitch = thick * series.length + 12
  const labels = categories.map((label) => shorten(label, 36))
  const left = 24 + widest(labels)
  const width = 460
  const top = 64
  const bottom = top + pitch * categories.length
  const place = (value: number) => left + ((value - least) / (most - least)) * width
  const parts = [
    text(12, 24, title, { size: 15, bold: true }),
    ...legend(
      series.map(({ name }) => name),
      12,
      46,
    ),
  ]
  for (const tick of ticks(least, most)) {
    parts.push(segment([place(tick), top - 4], [place(tick), bottom], "faint"))
    parts.push(text(place(tick), bottom + 16, tickLabel(tick), { size: 11, anchor: "middle" }))
  }
  parts.push(text(left + width / 2, bottom + 36, valueTitle, { anchor: "middle" }))
  categories.forEach((category, k) => {
    const y = top + k * pitch + 6
    parts.push(text(left - 8, y + (thick * series.length) / 2 + 4, labels[k], { anchor: "end" }))
    series.forEach(({ name, values, low, high }, s) => {
      const value = values[k]
      if (value === null) return
      const [x0, x1] = [place(Math.min(0, value)), place(Math.max(0, value))]
      const tip = `${category}, ${name}: ${tickLabel(value)}`
      parts.push(rectangle(x0, y + s * thick, Math.max(1, x1 - x0), thick - 1, seriesClass(s).fill, 0.85, tip))
      const [from, to] = [low?.[k] ?? null, high?.[k] ?? null]
      if (from !== null && to !== null) parts.push(...errorBar(place(from), place(to), y + s * thick + (thick - 1) / 2))
    })
  })
  parts.push(segment([place(Math.max(0, least)), top - 4], [place(Math.max(0, least)), bottom], "line"))
  return document(Math.max(left + width + 24, 24 + textWidth(title, 15.5)), bottom + 48, title, parts)
}

function errorBar(from: number, to: number, y: number): string[] {
  return [
    segment([from, y], [to, y], "line"),
    segment([from, y - 3], [from, y + 3], "line"),
    segment([to, y - 3], [to, y + 3], "line"),
  ]
}

function legend(names: readonly string[], x: number, y: number): string[] {
  let at = x
  return names.flatMap((name, s) => {
    const entry = [rectangle(at, y - 9, 10, 10, seriesClass(s).fill), text(at + 15, y, name)]
    at += 15 + textWidth(name) + 18
    return entry
  })
}

export interface LineSeries {
  name: string
  /** `[x, y]` in rising x. */
  points: readonly (readonly [number, number])[]
}

export interface LinePanel {
  title: string
  xTitle: string
  series: readonly LineSeries[]
}

/** Panels of lines, two in a row. Series of one name have one colour in all panels. */
export function lineChart({ title, panels }: { title: string; panels: readonly LinePanel[] }): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))]
  const [wide, high] = [440, 250]
  const across = Math.min(2, Math.max(1, panels.length))
  const parts = [text(12, 24, title, { size: 15, bold: true }), ...legend(names, 12, 46)]
  panels.forEach((panel, i) => {
    parts.push(...drawPanel(panel, names, (i % across) * wide, 58 + Math.floor(i / across) * high, wide, high))
  })
  const legendEnd = names.reduce((end, name) => end + 33 + textWidth(name), 24)
  const width = Math.max(across * wide, 24 + textWidth(title, 15.5), legendEnd)
  return document(width, 66 + Math.ceil(panels.length / across) * high, title, parts)
}

function drawPanel(
  { title, xTitle, series }: LinePanel,
  names: readonly string[],
  x0: number,
  y0: number,
  wide: number,
  high: number,
): string[] {
  const points = series.flatMap((one) => one.points).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
  if (points.length === 0) return [text(x0 + 60, y0 + 20, title, { bold: true })]
  const [left, top, right, bottom] = [x0 + 60, y0 + 32, x0 + wide - 16, y0 + high - 40]
  const spanX = span(
    points.map(([x]) => x),
    0,
  )
  const spanY = span(
    points.map(([, y]) => y),
    0.06,
  )
  const placeX = (x: number) => left + ((x - spanX[0]) / (spanX[1] - spanX[0])) * (right - left)
  const placeY = (y: number) => bottom - ((y - spanY[0]) / (spanY[1] - spanY[0])) * (bottom - top)
  const parts = [
    text(left, y0 + 20, title, { bold: true }),
    text((left + right) / 2, bottom + 34, xTitle, { size: 11, anchor: "middle" }),
  ]
  for (const tick of ticks(spanY[0], spanY[1], 4)) {
    parts.push(segment([left, placeY(tick)], [right, placeY(tick)], "faint"))
    parts.push(text(left - 6, placeY(tick) + 4, tickLabel(tick), { size: 11, anchor: "end" }))
  }
  for (const tick of ticks(spanX[0], spanX[1], 6)) {
    parts.push(segment([placeX(tick), bottom], [placeX(tick), bottom + 4], "line"))
    parts.push(text(placeX(tick), bottom + 17, tickLabel(tick), { size: 11, anchor: "middle" }))
  }
  parts.push(
    stroke(
      [
        [left, top],
        [left, bottom],
        [right, bottom],
      ],
      "line",
    ),
  )
  for (const one of series) {
    const colour = seriesClass(names.indexOf(one.name))
    const finite = one.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
    const placed = finite.map(([x, y]) => [placeX(x), placeY(y)] as const)
    if (placed.length > 1) parts.push(stroke(placed, colour.stroke, 1.8))
    else for (const point of placed) parts.push(dot(point, colour.fill))
  }
  return parts
}

/** The range of values, with a margin on both sides; a range of its own around a single value. */
function span(values: readonly number[], margin: number): [number, number] {
  const low = values.reduce((a, b) => Math.min(a, b))
  const high = values.reduce((a, b) => Math.max(a, b))
  const pad = high > low ? margin * (high - low) : Math.abs(high) * 0.1 || 1
  return [low - pad, high + pad]
}
