/**
 * How sure a figure is: seeded bootstrap over clips (or groups of clips) and training seeds, paired differences, Wilson.
 *
 * Every figure is written as a function of one weight per observation (one clip tested by one trained model). A resample
 * draws clusters with replacement, and training seeds with replacement; an observation weighs how often its cluster was
 * drawn times how often its seed was. So clips, groups, seeds and folds need no cases of their own, and two methods
 * tested on the same clips share their draws.
 *
 * Clusters are the groups where clips have them, otherwise the clips. With few clusters (below about 20) or few seeds
 * (below about 5) percentile intervals are somewhat too narrow.
 */

import { FourtierError, Rng } from "@fourtier/tensor"

/** Which cluster and which training seed an observation belongs to. */
export interface Observation {
  clipId: string
  group?: string
  seed?: number
  fold?: string
}

/** A figure from observations weighted by how often a resample holds them; all weights are 1 for the figure itself. */
export type Statistic = (weights: Float64Array) => number

export interface Interval {
  value: number
  low: number
  high: number
}

export interface BootstrapOptions {
  /** Number of resamples. */
  resamples?: number
  /** Coverage of the interval. */
  level?: number
  seed?: number | string
}

interface Settled {
  resamples: number
  level: number
  seed: number | string
}

function settle({ resamples = 2000, level = 0.95, seed = 0 }: BootstrapOptions): Settled {
  if (!Number.isInteger(resamples) || resamples < 1 || !(level > 0 && level < 1)) {
    throw new FourtierError({
      where: "bootstrap",
      what: "wrong options",
      expected: "one resample or more, a level between 0 and 1",
      found: `${resamples} resamples, level ${level}`,
    })
  }
  return { resamples, level, seed }
}

/** Observations as indices of their cluster and seed. */
interface Layout {
  cluster: Int32Array
  clusterCount: number
  seed: Int32Array
  seedCount: number
}

function layOut(observations: readonly Observation[], clusters: readonly string[], seeds: readonly string[]): Layout {
  const clusterIndex = new Map(clusters.map((name, i) => [name, i]))
  const seedIndex = new Map(seeds.map((name, i) => [name, i]))
  return {
    cluster: Int32Array.from(observations, (o) => clusterIndex.get(clusterOf(o)) ?? -1),
    clusterCount: clusters.length,
    seed: Int32Array.from(observations, (o) => seedIndex.get(String(o.seed)) ?? -1),
    seedCount: seeds.length,
  }
}

/**
 * The unit that is drawn as a whole: the group, or the clip where it has none.
 *
 * @example
 * ```ts
 * import { clusterOf } from "@fourtier/core/metrics"
 *
 * clusterOf({ clipId: "jump/a", group: "person 1" }) // "group person 1"
 * ```
 */
export function clusterOf({ clipId, group }: Observation): string {
  return group === undefined ? `clip ${clipId}` : `group ${group}`
}

function sortedNames(names: Iterable<string>): string[] {
  return [...new Set(names)].sort()
}

/** How often each of `n` things is drawn in `n` draws with replacement. */
function draw(n: number, rng: Rng): Float64Array {
  const counts = new Float64Array(n)
  for (let i = 0; i < n; i++) counts[rng.int(n)]++
  return counts
}

/** Writes the weight of every observation into `weights`. */
function weigh(layout: Layout, clusterCounts: Float64Array, seedCounts: Float64Array, weights: Float64Array): void {
  const { cluster, seed } = layout
  for (let i = 0; i < weights.length; i++) weights[i] = clusterCounts[cluster[i]] * seedCounts[seed[i]]
}

/**
 * Percentile intervals of several figures of the same observations.
 * @returns one interval per statistic, in order
 *
 * @example
 * ```ts
 * import { bootstrap } from "@fourtier/core/metrics"
 *
 * const right = [1, 1, 0, 1]
 * const accuracy = (weights: Float64Array) =>
 *   right.reduce((sum, x, i) => sum + x * weights[i], 0) / weights.reduce((sum, weight) => sum + weight, 0)
 * const clips = right.map((_, i) => ({ clipId: `${i}` }))
 * const [{ value, low, high }] = bootstrap(clips, [accuracy]) // 0.75, between 0.25 and 1
 * ```
 */
export function bootstrap(
  observations: readonly Observation[],
  statistics: readonly Statistic[],
  options: BootstrapOptions = {},
): Interval[] {
  const { resamples, level, seed } = settle(options)
  checkSome(observations)
  const layout = layOut(
    observations,
    sortedNames(observations.map(clusterOf)),
    sortedNames(observations.map((o) => String(o.seed))),
  )
  const rng = Rng.fork(seed, "bootstrap")
  const draws = statistics.map(() => new Float64Array(resamples))
  const weights = new Float64Array(observations.length)
  for (let r = 0; r < resamples; r++) {
    weigh(layout, draw(layout.clusterCount, rng), draw(layout.seedCount, rng), weights)
    for (const [k, statistic] of statistics.entries()) draws[k][r] = statistic(weights)
  }
  weights.fill(1)
  return statistics.map((statistic, k) => percentileInterval(statistic(weights), draws[k], level))
}

export interface Difference extends Interval {
  /** Two-sided bootstrap p: twice the smaller share of resamples on either side of zero. */
  pBootstrap: number
}

/**
 * Differences `first − second` of figures of two methods tested on the same clips. Clusters are drawn together; training
 * seeds too where both methods ran with the same ones, otherwise each method's on their own.
 * @param first observations of one method, and one statistic per figure
 * @param second those of the other, figures in the same order
 *
 * @example
 * ```ts
 * import { type Observation, pairedBootstrap } from "@fourtier/core/metrics"
 *
 * // One method: which clips it was right on.
 * function method(right: readonly number[]) {
 *   const observations: Observation[] = right.map((_, i) => ({ clipId: `${i}` }))
 *   const accuracy = (weights: Float64Array) => right.reduce((sum, x, i) => sum + (x * weights[i]) / right.length, 0)
 *   return { observations, statistics: [accuracy] }
 * }
 * const [difference] = pairedBootstrap(method([1, 1, 0, 1]), method([1, 0, 0, 1]))
 * difference.value // 0.25
 * ```
 */
export function pairedBootstrap(
  first: { observations: readonly Observation[]; statistics: readonly Statistic[] },
  second: { observations: readonly Observation[]; statistics: readonly Statistic[] },
  options: BootstrapOptions = {},
): Difference[] {
  const { resamples, level, seed } = settle(options)
  const clusters = sameClusters(first.observations, second.observations)
  const seeds = [first, second].map(({ observations }) => sortedNames(observations.map((o) => String(o.seed))))
  const shared = seeds[0].join() === seeds[1].join()
  const layouts = [first, second].map(({ observations }, side) => layOut(observations, clusters, seeds[side]))
  const [a, b] = [first, second].map(({ observations }) => new Float64Array(observations.length))
  const rng = Rng.fork(seed, "paired bootstrap")
  const draws = first.statistics.map(() => new Float64Array(resamples))
  for (let r = 0; r < resamples; r++) {
    const clusterCounts = draw(clusters.length, rng)
    const seedCounts = draw(seeds[0].length, rng)
    const others = shared ? seedCounts : draw(seeds[1].length, rng)
    weigh(layouts[0], clusterCounts, seedCounts, a)
    weigh(layouts[1], clusterCounts, others, b)
    for (const [k, statistic] of first.statistics.entries()) draws[k][r] = statistic(a) - second.statistics[k](b)
  }
  a.fill(1)
  b.fill(1)
  return first.statistics.map((statistic, k) => ({
    ...percentileInterval(statistic(a) - second.statistics[k](b), draws[k], level),
    pBootstrap: bootstrapP(draws[k]),
  }))
}

function checkSome(observations: readonly Observation[]): void {
  if (observations.length > 0) return
  throw new FourtierError({
    where: "bootstrap",
    what: "nothing to resample",
    expected: "one observation or more",
    found: "none",
  })
}

/** The clusters of both methods, which must have been tested on the same clips. */
function sameClusters(first: readonly Observation[], second: readonly Observation[]): string[] {
  checkSome(first)
  checkSome(second)
  const test = (o: Observation) => `${o.fold ?? ""}\u0000${o.clipId}`
  const [a, b] = [new Set(first.map(test)), new Set(second.map(test))]
  const missing = [...a].find((name) => !b.has(name)) ?? [...b].find((name) => !a.has(name))
  if (missing !== undefined) {
    const [fold, clipId] = missing.split("\u0000")
    throw new FourtierError({
      where: "paired difference",
      what: "the two methods were not tested on the same clips",
      found: `clip ${clipId}${fold === "" ? "" : ` of fold ${fold}`} has a prediction of one of them only`,
    })
  }
  return sortedNames(first.map(clusterOf))
}

function bootstrapP(draws: Float64Array): number {
  const below = draws.filter((value) => value <= 0).length
  const above = draws.filter((value) => value >= 0).length
  return Math.min(1, (2 * (Math.min(below, above) + 1)) / (draws.length + 1))
}

function percentileInterval(value: number, draws: Float64Array, level: number): Interval {
  const sorted = draws.filter((draw) => !Number.isNaN(draw)).sort()
  return { value, low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2) }
}

/**
 * Quantile of sorted values, linear between neighbours.
 *
 * @example
 * ```ts
 * import { quantile } from "@fourtier/core/metrics"
 *
 * quantile([1, 2, 3, 4], 0.5) // 2.5
 * ```
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN
  const place = q * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(sorted.length - 1, below + 1)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
}

/**
 * Two-sided p of the hypothesis that two methods are interchangeable on every cluster: the share of sign patterns whose
 * mean difference is at least as far from zero as the one seen. All patterns where there are few, otherwise random ones.
 * It holds the trained models fixed; it says nothing about other training seeds.
 * @param differences sum of the differences of each cluster
 *
 * @example
 * ```ts
 * import { signFlipP } from "@fourtier/core/metrics"
 *
 * signFlipP([1, 1, 1, 1, 1, 1]) // 2/64
 * ```
 */
export function signFlipP(differences: readonly number[], options: BootstrapOptions = {}): number {
  const { resamples, seed } = settle({ resamples: 10_000, ...options })
  const moved = differences.filter((difference) => difference !== 0)
  const seen = Math.abs(moved.reduce((sum, difference) => sum + difference, 0))
  const slack = 1e-9 * moved.reduce((sum, difference) => sum + Math.abs(difference), 0)
  if (2 ** moved.length <= resamples) return exactFlips(moved, seen - slack)
  const rng = Rng.fork(seed, "sign flips")
  let extreme = 0
  for (let r = 0; r < resamples; r++) {
    let sum = 0
    for (let i = 0; i < moved.length; ) {
      const bits = rng.bits()
      for (let b = 0; b < 32 && i < moved.length; b++, i++) sum += (bits >>> b) & 1 ? moved[i] : -moved[i]
    }
    if (Math.abs(sum) >= seen - slack) extreme++
  }
  return (extreme + 1) / (resamples + 1)
}

function exactFlips(differences: readonly number[], threshold: number): number {
  const patterns = 2 ** differences.length
  let extreme = 0
  for (let pattern = 0; pattern < patterns; pattern++) {
    const sum = differences.reduce((total, difference, i) => total + ((pattern >> i) & 1 ? difference : -difference), 0)
    if (Math.abs(sum) >= threshold) extreme++
  }
  return extreme / patterns
}

/**
 * Wilson's score interval of a proportion: `successes` of `trials` (Wilson 1927).
 *
 * @example
 * ```ts
 * import { wilson } from "@fourtier/core/metrics"
 *
 * wilson(9, 10) // { value: 0.9, low: 0.596, high: 0.982 }
 * ```
 */
export function wilson(successes: number, trials: number, level = 0.95): Interval {
  if (!(trials > 0) || successes < 0 || successes > trials) {
    throw new FourtierError({
      where: "Wilson interval",
      what: "not a proportion",
      expected: "0 <= successes <= trials, at least one trial",
      found: `${successes} of ${trials}`,
    })
  }
  const z = normalQuantile((1 + level) / 2)
  const share = successes / trials
  const scale = 1 + (z * z) / trials
  const centre = (share + (z * z) / (2 * trials)) / scale
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials))
  return { value: share, low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

/**
 * Quantile of the standard normal distribution, by Newton's method on its distribution function.
 *
 * @example
 * ```ts
 * import { normalQuantile } from "@fourtier/core/metrics"
 *
 * normalQuantile(0.975) // 1.96
 * ```
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) {
    throw new FourtierError({
      where: "normal quantile",
      what: "not a probability",
      expected: "between 0 and 1",
      found: `${p}`,
    })
  }
  let z = 0
  for (let step = 0; step < 100; step++) {
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
    const move = Math.max(-1, Math.min(1, (normalShare(z) - p) / Math.max(density, 1e-300)))
    z -= move
    if (Math.abs(move) < 1e-14) break
  }
  return z
}

/** Share of the standard normal distribution below z (Marsaglia 2004's series). */
function normalShare(z: number): number {
  let term = z
  let sum = z
  for (let i = 3; Math.abs(term) > 1e-17 * Math.abs(sum) && i < 1000; i += 2) {
    term *= (z * z) / i
    sum += term
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI)
}
