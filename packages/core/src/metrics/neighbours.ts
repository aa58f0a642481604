/**
 * How well features tell classes apart before anything is trained: how often a clip's nearest other clip has its label.
 *
 * ```
 * features [D] of each clip ─ channels standardised over the clips ─ cosines ─ nearest other clip ─ its label?
 * ```
 */

import { FourtierError } from "@fourtier/tensor"
import { type BootstrapOptions, bootstrap, clusterOf, type Interval, type Observation, wilson } from "./intervals.ts"

/** A clip with a label. */
export interface LabelledObservation extends Observation {
  label: string
}

export interface NeighbourOptions extends BootstrapOptions {
  /** Whether only clips of other groups count as neighbours. Clips without a group are groups of their own. */
  otherGroups?: boolean
}

/** Shares from 0 to 1. */
export interface NeighbourScore {
  /** Clips that count: those with another one of their label in reach. */
  clips: number
  /** How many of them have a nearest clip of their label; of equally near ones, each counts its part. Interval by bootstrap over groups. */
  share: Interval
  /** The same for a neighbour drawn at random. */
  chance: number
}

/**
 * How often a clip's nearest other clip has its label, by cosine of standardised features. Nothing is trained, so that
 * encoders are compared before any choice is made.
 *
 * @param features [D] of each clip, mean-pooled over time and places
 * @returns null where no clip has another one of its label in reach
 * @throws FourtierError where features and clips do not fit together
 *
 * @example
 * ```ts
 * import { nearestNeighbours } from "@fourtier/core/metrics"
 *
 * const features = [[1, 0], [2, 0.1], [-1, 0], [-2, 0.1]].map((row) => Float32Array.from(row))
 * const clips = ["hug", "hug", "kick", "kick"].map((label, i) => ({ clipId: `${i}`, label }))
 * nearestNeighbours(features, clips)?.share.value // 1; chance is 1/3
 * ```
 */
export function nearestNeighbours(
  features: readonly Float32Array[],
  clips: readonly LabelledObservation[],
  options: NeighbourOptions = {},
): NeighbourScore | null {
  const rows = standardised(features, clips.length)
  const groups = clips.map(clusterOf)
  const reachable = (i: number, j: number) => i !== j && !(options.otherGroups && groups[i] === groups[j])
  const counted: LabelledObservation[] = []
  const hits: number[] = []
  const chances: number[] = []
  for (const [i, clip] of clips.entries()) {
    const others = clips.flatMap((_, j) => (reachable(i, j) ? [j] : []))
    const same = others.filter((j) => clips[j].label === clip.label)
    if (same.length === 0) continue
    const cosines = others.map((j) => dot(rows[i], rows[j]))
    const most = cosines.reduce((a, b) => Math.max(a, b))
    const nearest = others.filter((_, at) => cosines[at] === most)
    counted.push(clip)
    hits.push(nearest.filter((j) => clips[j].label === clip.label).length / nearest.length)
    chances.push(same.length / others.length)
  }
  if (counted.length === 0) return null
  const [found] = bootstrap(counted, [(weights) => weightedMean(hits, weights)], options)
  const clusters = new Set(counted.map(clusterOf)).size
  const extreme = found.value === 0 || found.value === 1
  return {
    clips: counted.length,
    share: extreme ? wilson(found.value * clusters, clusters, options.level) : found,
    chance: weightedMean(chances, new Float64Array(chances.length).fill(1)),
  }
}

/** Channels brought to mean 0 and deviation 1 over the clips, then rows to length 1. Channels that never vary are 0. */
function standardised(features: readonly Float32Array[], clips: number): Float64Array[] {
  const D = features.at(0)?.length ?? 0
  if (features.length !== clips || features.some((row) => row.length !== D)) {
    throw new FourtierError({
      where: "nearest neighbours",
      what: "features and clips do not fit together",
      expected: `${clips} features of ${D} channels`,
      found: `${features.length} of ${[...new Set(features.map((row) => row.length))].join(", ")}`,
    })
  }
  const [mean, squares] = [new Float64Array(D), new Float64Array(D)]
  for (const row of features) for (let d = 0; d < D; d++) mean[d] += row[d] / clips
  for (const row of features) for (let d = 0; d < D; d++) squares[d] += (row[d] - mean[d]) ** 2 / clips
  const scale = squares.map((square) => (square > 1e-10 ? 1 / Math.sqrt(square) : 0))
  return features.map((row) => {
    const values = Float64Array.from(row, (value, d) => (value - mean[d]) * scale[d])
    const length = Math.sqrt(dot(values, values))
    return length === 0 ? values : values.map((value) => value / length)
  })
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d]
  return sum
}

function weightedMean(values: readonly number[], weights: Float64Array): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return values.reduce((sum, value, i) => sum + value * weights[i], 0) / total
}
