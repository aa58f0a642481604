/**
 * Draws clips by class. What must stay together (a group, equal files) is drawn as one bundle, and the order is that of hashes of
 * groups and contents: renaming, moving or adding files changes the order of no others.
 */

import { createHash } from "node:crypto"
import { groupBy } from "@fourtier/core"
import type { Clip } from "./manifest.ts"

export const isLabelled = ({ labels }: Pick<Clip, "labels">) => labels.length > 0

/** Clips that must stay together: of one group, or with the same content. */
export function inseparable(clips: readonly Clip[]): Clip[][] {
  const parent = clips.map((_, i) => i)
  const find = (i: number): number => {
    while (parent[i] !== i) {
      parent[i] = parent[parent[i]]
      i = parent[i]
    }
    return i
  }
  const first = new Map<string, number>()
  for (const [i, { group, hash, path }] of clips.entries()) {
    for (const key of [`hash ${hash}`, group === null ? `file ${path}` : `group ${group}`]) {
      const other = first.get(key)
      if (other === undefined) first.set(key, i)
      else parent[find(i)] = find(other)
    }
  }
  return [...groupBy(clips.keys(), find).values()].map((members) => members.map((i) => clips[i]))
}

/**
 * The bundles in an order that the seed, their groups and their contents decide, and nothing else.
 * @param purpose tells one use of the seed from another
 */
export function inDrawnOrder(bundles: readonly Clip[][], seed: number | string, purpose: string): Clip[][] {
  const place = ({ group, hash }: Clip) =>
    createHash("sha256")
      .update(JSON.stringify([seed, purpose, group === null ? hash : group, group === null]))
      .digest("hex")
  const keyed = bundles.map((bundle) => {
    const places = bundle.map(place)
    return { bundle, first: places.reduce((a, b) => (a < b ? a : b)) }
  })
  return keyed.sort((a, b) => (a.first < b.first ? -1 : 1)).map(({ bundle }) => bundle)
}

/**
 * Bundles of the candidates, drawn one after the other, that bring every class nearer to its share of `all`; where none does and
 * nothing is drawn yet, the smallest that holds half of the classes at least. No class is used up. Nothing is drawn where that cannot
 * be had.
 * @param candidates in the order of drawing
 * @param drawn clips that are drawn already
 */
export function drawShare(
  all: readonly Clip[],
  share: number,
  candidates: readonly Clip[][],
  drawn: readonly Clip[] = [],
): Clip[] {
  const bundles = candidates.filter((bundle) => bundle.some(isLabelled))
  if (share === 0 || (drawn.length === 0 && bundles.length < 2)) return []
  const counts = countLabels(all)
  const tally = new LabelTally(new Map([...counts].map(([label, number]) => [label, number * share])))
  tally.add(drawn)
  const usesUp = (bundle: readonly Clip[]) =>
    [...countLabels(bundle)].some(([label, number]) => number + tally.of(label) >= (counts.get(label) ?? 0))
  const taken: Clip[] = []
  for (const bundle of bundles) {
    if (usesUp(bundle)) continue
    if (tally.missWith(bundle) >= tally.miss) continue
    taken.push(...bundle)
    tally.add(bundle)
  }
  if (taken.length > 0 || drawn.length > 0) return taken
  const [smallest = []] = bundles
    .filter((bundle) => !usesUp(bundle) && 2 * countLabels(bundle).size >= counts.size)
    .sort((a, b) => a.length - b.length)
  return smallest
}

export function countLabels(clips: readonly Clip[]): Map<string, number> {
  const counts = new Map<string, number>()
  addLabels(counts, clips)
  return counts
}

function addLabels(counts: Map<string, number>, clips: readonly Clip[]): void {
  for (const { labels } of clips) {
    for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  }
}

/** Counts of labels, and how far they are from their goals. Labels without a goal are not counted. */
export class LabelTally {
  readonly #places: ReadonlyMap<string, number>
  readonly #goal: Float64Array
  readonly #have: Float64Array
  #miss: number

  /** @param goal wanted number by label */
  constructor(goal: ReadonlyMap<string, number>) {
    this.#places = new Map([...goal.keys()].map((label, place) => [label, place]))
    this.#goal = Float64Array.from(goal.values())
    this.#have = new Float64Array(goal.size)
    this.#miss = this.#distance()
  }

  /** How many clips of a label there are. */
  of(label: string): number {
    const place = this.#places.get(label)
    return place === undefined ? 0 : this.#have[place]
  }

  /** Squared distance of the counts from their goals. */
  get miss(): number {
    return this.#miss
  }

  /** What it would be with a bundle. */
  missWith(bundle: readonly Clip[]): number {
    this.#count(bundle, 1)
    const miss = this.#distance()
    this.#count(bundle, -1)
    return miss
  }

  add(clips: readonly Clip[]): void {
    this.#count(clips, 1)
    this.#miss = this.#distance()
  }

  #count(clips: readonly Clip[], step: number): void {
    for (const { labels } of clips) {
      for (const label of labels) {
        const place = this.#places.get(label)
        if (place !== undefined) this.#have[place] += step
      }
    }
  }

  #distance(): number {
    let sum = 0
    for (let i = 0; i < this.#goal.length; i++) sum += (this.#have[i] - this.#goal[i]) ** 2
    return sum
  }
}
