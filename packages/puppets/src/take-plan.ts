/**
 * Which long takes there are. A take depends on the seed, its part, its number and the classes only.
 *
 * - `train`: four of the six places
 * - `test`: other people, styles and cameras; the same places
 * - `test-shift`: the people, styles and cameras of `test`, in the two other places
 *
 * Between six and twelve actions in each; before and between them the figure stands, makes small gestures, walks somewhere else, and
 * does things that are none of the classes.
 */

import { FourtierError, Rng } from "@fourtier/tensor"
import { type ActionName, actionNames } from "./acts.ts"
import { companyScenes } from "./company-plan.ts"
import { type Counts, pools, type SplitName, splitNames } from "./plan.ts"
import { framesOf, stageTake, type TakeItem, type TakeSpec, undone } from "./take.ts"

/** Takes of each part in the default set. */
export const takeCounts: Counts = { train: 24, test: 12, "test-shift": 12 }

/**
 * Splits a total over the parts in the default set's proportions.
 *
 * @example
 * ```ts
 * import { takeCountsFor } from "@fourtier/puppets"
 *
 * takeCountsFor(8) // { train: 4, test: 2, "test-shift": 2 }
 * ```
 */
export function takeCountsFor(total: number): Counts {
  const whole = splitNames.reduce((sum, split) => sum + takeCounts[split], 0)
  const share = (split: SplitName) => Math.max(1, Math.round((total * takeCounts[split]) / whole))
  return { train: share("train"), test: share("test"), "test-shift": share("test-shift") }
}

const FPS = 25

/** A stretch of a take, in seconds. */
export interface TakeSpan {
  label: string
  start: number
  end: number
}

export interface PlannedTake extends TakeSpec {
  /** The take's id: its file's name without ending. */
  id: string
  /** Below the set's folder, forward slashes. */
  path: string
  split: SplitName
  frames: number
  /** Of the classes. */
  spans: TakeSpan[]
  /** Of everything else that is done: standing, gestures, walking where it is no class, other actions. */
  others: TakeSpan[]
  codec: "h264"
  crf: number
}

export interface TakeOptions {
  classes: readonly ActionName[]
  /** Takes of each part. */
  counts: Counts
  seed: number
  /** Actions of a take: from as many to as many; default 6 to 12. */
  actions?: readonly [fewest: number, most: number]
  width?: number
  height?: number
}

/**
 * Every take of a set, before anything is rendered.
 * @throws FourtierError for fewer than two classes, or a size that cannot be encoded
 *
 * @example
 * ```ts
 * import { demoClasses, planTakes, takeCounts } from "@fourtier/puppets"
 *
 * planTakes({ classes: demoClasses, counts: takeCounts, seed: 1 }).length // 48
 * ```
 */
export function planTakes(options: TakeOptions): PlannedTake[] {
  const { counts, seed, width = 320, height = 240, actions = [6, 12] } = options
  const classes = [...new Set(options.classes)].sort()
  if (classes.length < 2) {
    throw new FourtierError({
      where: "classes",
      what: "too few actions",
      expected: "2 or more",
      found: classes.join(", ") || "none",
    })
  }
  if (width % 2 !== 0 || height % 2 !== 0 || width < 64 || height < 64) {
    throw new FourtierError({
      what: "odd picture size",
      expected: "even numbers, 64 or more",
      found: `${width}x${height}`,
    })
  }
  return splitNames.flatMap((split) =>
    Array.from({ length: counts[split] }, (_, i) => planTake(seed, split, i, classes, actions, width, height)),
  )
}

function planTake(
  seed: number,
  split: SplitName,
  index: number,
  classes: readonly ActionName[],
  actions: readonly [number, number],
  width: number,
  height: number,
): PlannedTake {
  const own = [seed, "take", split, index].join(" ")
  const rng = Rng.fork(own, "take")
  const side = split === "train" ? "train" : "test"
  const choose = (kind: "person" | "style" | "camera") =>
    `${side}-${kind}-${String(rng.int(pools[side][kind])).padStart(2, "0")}`
  const id = `${split}-${String(index).padStart(4, "0")}`
  const spec: TakeSpec = {
    seed: own,
    person: choose("person"),
    style: choose("style"),
    camera: choose("camera"),
    scene: rng.pick(companyScenes[split === "test-shift" ? "away" : "home"]),
    ...{ fps: FPS, width, height },
    items: itemsOf(classes, actions, rng),
  }
  const { pieces, seconds } = stageTake(spec)
  const frames = framesOf(seconds, FPS)
  const wanted = new Set<string>(classes)
  const all = pieces.map(({ what, start, seconds: lasts }): TakeSpan => {
    return { label: what, start: milliseconds(start), end: milliseconds(Math.min(start + lasts, frames / FPS)) }
  })
  return {
    ...spec,
    ...{ id, path: `${split}/${id}.mp4`, split, frames },
    spans: all.filter(({ label }) => wanted.has(label)),
    others: all.filter(({ label }) => !wanted.has(label)),
    ...{ codec: "h264", crf: 20 + rng.int(8) },
  }
}

const milliseconds = (seconds: number) => Math.round(seconds * 1000) / 1000

function itemsOf(classes: readonly ActionName[], [fewest, most]: readonly [number, number], rng: Rng): TakeItem[] {
  // who stands up has sat down: the second of a pair comes with the first
  const first = new Map<ActionName, ActionName>([...undone].map(([before, after]) => [after, before]))
  const begin = (name: ActionName) => first.get(name) ?? name
  // walking there is anyway, from place to place; who runs is out of the picture at once
  const begins = [...new Set(classes.map(begin))].filter((name) => name !== "walk")
  const strange = [...new Set(actionNames.filter((name) => !classes.includes(name)).map(begin))].filter(
    (name) => name !== "walk" && name !== "run" && !begins.includes(name),
  )
  const count = fewest + rng.int(most - fewest + 1)
  const items: TakeItem[] = []
  const place = (): [number, number] => [rng.uniform(-1.15, 1.15), rng.uniform(-0.9, 0.5)]
  const add = (act: TakeItem["act"], seconds: number, where: TakeItem["place"]) =>
    void items.push({ act, seconds: milliseconds(seconds), place: where })
  const stand = (where: TakeItem["place"]) => {
    if (rng.next() < 0.3) add("gesture", rng.uniform(1.8, 3), where)
    else add("stand", rng.uniform(0.8, 3.5), where)
  }
  const act = (name: ActionName, where: TakeItem["place"]) => {
    add(name, rng.uniform(1.7, 2.5), where)
    const after = undone.get(name)
    if (after) add(after, rng.uniform(1.7, 2.5), null)
    return after ? 2 : 1
  }
  stand(place())
  let queue: ActionName[] = []
  for (let done = 0; done < count; ) {
    if (queue.length === 0) queue = rng.shuffle([...begins])
    const name = queue.pop() ?? begins[0]
    if (strange.length > 0 && rng.next() < 0.22) {
      act(rng.pick(strange), null)
      stand(null)
    }
    done += act(name, rng.next() < 0.6 ? place() : null)
    if (rng.next() < 0.85) stand(null)
  }
  stand(rng.next() < 0.5 ? place() : null)
  return items
}
