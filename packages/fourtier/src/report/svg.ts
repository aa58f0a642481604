/**
 * Pieces of a picture as SVG text. Colours are classes of one style sheet: they follow the viewer's light or dark setting,
 * and those of series stay apart for colour-blind readers (after Okabe & Ito 2008).
 */

const light = { ground: "#ffffff", ink: "#1f2328", faint: "#d8dee4", accent: "#0b5cad", onAccent: "#ffffff" }
const dark = { ground: "#0d1117", ink: "#e6edf3", faint: "#30363d", accent: "#6cb6ff", onAccent: "#0d1117" }
const seriesLight = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#5e5ce6", "#57606a"]
const seriesDark = ["#58a6e0", "#f0883e", "#2ec49b", "#e39bc6", "#e3c341", "#a5a3ff", "#9ea7b0"]

function rules(colours: typeof light, series: readonly string[]): string {
  return [
    `.ground{fill:${colours.ground}}`,
    `.ink{fill:${colours.ink}}`,
    `.faint{stroke:${colours.faint};fill:none}`,
    `.line{stroke:${colours.ink};fill:none}`,
    `.accent{fill:${colours.accent}}`,
    `.on{fill:${colours.onAccent}}`,
    ...series.map((colour, i) => `.s${i}{fill:${colour}}.l${i}{stroke:${colour};fill:none}`),
  ].join("")
}

const style = `<style>text{font-family:system-ui,"DejaVu Sans",sans-serif}${rules(light, seriesLight)}@media (prefers-color-scheme:dark){${rules(dark, seriesDark)}}</style>`

/** The classes of series `s`: what fills, and what lines are drawn with. */
export function seriesClass(s: number): { fill: string; stroke: string } {
  const colour = s % seriesLight.length
  return { fill: `s${colour}`, stroke: `l${colour}` }
}

/** Escapes text for SVG and drops characters that XML does not allow. */
export function escapeXml(text: string): string {
  return text
    .replaceAll(/\p{Cs}|[\ufffe\uffff]|(?![\t\n\r])\p{Cc}/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
}

interface TextOptions {
  size?: number
  anchor?: "start" | "middle" | "end"
  bold?: boolean
  className?: string
  rotate?: number
}

export function text(x: number, y: number, content: string, options: TextOptions = {}): string {
  const { size = 12, anchor = "start", bold = false, className = "ink", rotate } = options
  const turn = rotate === undefined ? "" : ` transform="rotate(${rotate} ${round(x)} ${round(y)})"`
  const weight = bold ? ` font-weight="600"` : ""
  return `<text x="${round(x)}" y="${round(y)}" class="${className}" font-size="${size}" text-anchor="${anchor}"${weight}${turn}>${escapeXml(content)}</text>`
}

export function rectangle(
  x: number,
  y: number,
  width: number,
  height: number,
  className: string,
  opacity = 1,
  tip = "",
): string {
  const shade = opacity === 1 ? "" : ` fill-opacity="${round(opacity, 3)}"`
  const place = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`
  const open = `<rect ${place} class="${className}"${shade}`
  return tip === "" ? `${open}/>` : `${open}><title>${escapeXml(tip)}</title></rect>`
}

type Point = readonly [x: number, y: number]

/** A line through points. */
export function stroke(points: readonly Point[], className: string, width = 1): string {
  const path = points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("")
  return `<path d="${path}" class="${className}" stroke-width="${width}"/>`
}

export function segment(from: Point, to: Point, className: string): string {
  return stroke([from, to], className)
}

export function dot([x, y]: Point, className: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="3" class="${className}"/>`
}

export function document(width: number, height: number, title: string, parts: readonly string[]): string {
  const [w, h] = [Math.ceil(width), Math.ceil(height)]
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img">`
  return `${open}<title>${escapeXml(title)}</title>${style}${rectangle(0, 0, w, h, "ground")}${parts.join("\n")}</svg>\n`
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}

/** Rough width of a text in pixels: wide for CJK and other full-width characters. */
export function textWidth(content: string, size = 12): number {
  return Array.from(content).reduce((sum, char) => sum + (char > "\u2e7f" ? 1.02 : 0.6) * size, 0)
}

export function widest(labels: readonly string[], size = 12): number {
  return labels.reduce((most, label) => Math.max(most, textWidth(label, size)), 0)
}

/** The label, or its first characters and an ellipsis. */
export function shorten(label: string, length: number): string {
  const chars = Array.from(label)
  return chars.length > length ? `${chars.slice(0, length - 1).join("")}…` : label
}
