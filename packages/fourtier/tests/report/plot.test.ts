import sharp from "sharp"
import { describe, expect, it } from "vitest"
import { barChart, heatMap, lineChart, ticks } from "../../src/report/plot.ts"

/** Width and height of the picture that a strict XML and SVG reader makes of the text. */
const render = async (svg: string) => {
  const { width, height } = await sharp(Buffer.from(svg)).metadata()
  return [width, height]
}
const attributes = (svg: string, pattern: RegExp) =>
  [...svg.matchAll(pattern)].map((match) => match.slice(1).map(Number))

describe("ticks", () => {
  it("are round, inside the range, about as many as asked for, and free of rounding dust", () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(ticks(0, 100)).toEqual([0, 20, 40, 60, 80, 100])
    expect(ticks(-0.3, 0.3, 6)).toEqual([-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3])
    expect(ticks(1e-6, 9e-6, 4).every((tick) => tick >= 1e-6 && tick <= 9e-6)).toBe(true)
    expect(ticks(3, 3)).toEqual([3])
  })
})

describe("heat map", () => {
  const map = (names: string[]) =>
    heatMap({
      title: "t",
      rows: names,
      columns: names,
      shades: names.map((_, r) => names.map((_, c) => (r === c ? 1 : 0))),
      texts: names.map((_, r) => names.map((_, c) => (r === c ? "7" : "0"))),
      rowTitle: "true",
      columnTitle: "said",
    })

  it("draws one cell per value that is not zero, on the diagonal here", () => {
    const cells = attributes(map(["a", "b", "c"]), /<rect x="([\d.]+)" y="([\d.]+)"[^>]*class="accent"/g)
    expect(cells).toHaveLength(3)
    const [[x0, y0], [x1, y1]] = cells
    expect(x1 - x0).toBeCloseTo(y1 - y0, 6)
  })

  it("renders any names, and hundreds of classes in a picture of bounded size", async () => {
    await render(map(["<&>", '"q"', "\u0007bell", "日本語", ""]))
    const [width, height] = await render(map(Array.from({ length: 400 }, (_, i) => `a long class name ${i}`)))
    expect(width).toBeLessThan(1500)
    expect(height).toBeLessThan(1500)
  })
})

describe("bars", () => {
  const chart = (values: (number | null)[]) =>
    barChart({
      title: "t",
      categories: values.map((_, i) => `c${i}`),
      series: [{ name: "one", values, low: values, high: values }],
      valueTitle: "v",
      range: [0, 100],
    })

  it("are as long as their values, and absent where there is none", () => {
    const bars = attributes(chart([100, 50, null]), /width="([\d.]+)"[^>]*class="s0" fill-opacity/g)
    expect(bars).toHaveLength(2)
    expect(bars[0][0] / bars[1][0]).toBeCloseTo(2, 6)
  })

  it("render without any value", async () => {
    await render(barChart({ title: "t", categories: [], series: [], valueTitle: "v" }))
    await render(barChart({ title: "t", categories: ["a"], series: [{ name: "s", values: [0] }], valueTitle: "v" }))
  })

  it("grow to the left of zero for negative values", () => {
    const svg = barChart({
      title: "t",
      categories: ["a", "b"],
      series: [{ name: "s", values: [-2, 2] }],
      valueTitle: "v",
    })
    const [[left, width], [right]] = attributes(
      svg,
      /x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*class="s0" fill-opacity/g,
    )
    expect(left + width).toBeCloseTo(right, 0)
  })
})

describe("lines", () => {
  it("break no picture with NaN, one point, equal values or no points", async () => {
    const series = (points: [number, number][]) => [{ name: "s", points }]
    const panels = [
      [],
      [[1, 1]],
      [
        [1, 2],
        [2, Number.NaN],
        [3, 2],
      ],
      [[1, Number.NaN]],
    ].map((points, i) => ({
      title: `p${i}`,
      xTitle: "x",
      series: series(points.map(([x, y]): [number, number] => [x, y])),
    }))
    const svg = lineChart({ title: "t", panels })
    expect(svg).not.toMatch(/NaN|Infinity/)
    await render(svg)
    await render(lineChart({ title: "t", panels: [] }))
  })

  it("rise in the picture where values rise", () => {
    const panels = [{ title: "p", xTitle: "x", series: [{ name: "s", points: [[0, 1] as const, [1, 5] as const] }] }]
    const [[x0, y0, x1, y1]] = attributes(
      lineChart({ title: "t", panels }),
      /d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)" class="l0"/g,
    )
    expect(x1).toBeGreaterThan(x0)
    expect(y1).toBeLessThan(y0)
  })
})
