/** What the paper's tables say of the size and the cost of its networks, to be shown beside what is counted here. */

export interface PublishedCost {
  /** As the table has it. */
  name: string
  table: string
  /** Millions; null where the table has none. */
  weights: number | null
  /** Multiply-adds of all views, in units of 10^12. */
  tflops: number
}

/** Encoder's kind and model, frames, pixels, temporal clips × crops; then weights and TFLOPs without and with FTP. */
type Row = [
  model: RegExp,
  frames: number,
  side: number,
  views: string,
  table: string,
  plain: [number | null, number] | null,
  ftp: [number | null, number],
]

const ROWS: readonly Row[] = [
  [/^B\/16$/, 8, 224, "4x3", "Table 1", [115, 1.8], [136, 2.2]],
  [/^L\/14$/, 32, 224, "2x3", "Table 1", [354, 16.0], [402, 18.4]],
  [/^L\/14@336$/, 64, 336, "2x3", "Table 1", [354, 75.3], [402, 78.7]],
  [/^B\/16-ssv2$/, 16, 224, "1x3", "Table 2", [163, 0.6], [183, 1.1]],
  [/^L\/14-ssv2$/, 32, 224, "1x3", "Table 2", [574, 5.2], [620, 6.6]],
  [/^B\/16$/, 8, 280, "4x3", "Table B4", null, [null, 8.1]],
  [/^L\/14(?:@336)?$/, 32, 336, "2x3", "Table B4", null, [null, 78.7]],
]

export interface TestedNetwork {
  /** As `VisualEncoder.name` has it: kind, model, and what follows. */
  encoder: string
  frames: number
  /** Height and width in pixels. */
  resolution: readonly [number, number]
  clips: number
  crops: number
  /** With the feature processors. */
  ftp: boolean
}

/**
 * The row of the paper's tables for a network and its testing views; null where there is none.
 *
 * @example
 * ```ts
 * import { publishedCost } from "fourtier/evaluate"
 *
 * const network = { encoder: "uniformerv2 B/16", frames: 8, resolution: [224, 224] as const, clips: 4, crops: 3, ftp: true }
 * publishedCost(network) // { name: "FTP-UniFormerV2-B/16", table: "Table 1", weights: 136, tflops: 2.2 }
 * ```
 */
export function publishedCost({ encoder, frames, resolution, clips, crops, ftp }: TestedNetwork): PublishedCost | null {
  const [kind, model = ""] = encoder.split(/[ ,]+/)
  const [height, width] = resolution
  if (kind !== "uniformerv2" || height !== width) return null
  const row = ROWS.find(
    ([models, T, side, views]) =>
      models.test(model) && T === frames && side === height && views === `${clips}x${crops}`,
  )
  if (!row) return null
  const [, , , , table, plain, own] = row
  const found = ftp ? own : plain
  const name = `${ftp ? "FTP-" : ""}UniFormerV2-${model.replace(/[@-].*$/, "")}`
  return found && { name, table, weights: found[0], tflops: found[1] }
}
