/**
 * Which videos with several figures there are. A video depends on the seed, its part and its number only.
 *
 * - `train`: four of the six places
 * - `test`: other people, styles and cameras; the same places
 * - `test-shift`: the people, styles and cameras of `test`, in the two other places
 *
 * In each video two to four figures do different things, near and far. Those who walk or run may come in or leave; two may
 * stand partly behind one another.
 */

import { FourtierError, Rng } from "@fourtier/tensor"
import type { ActionName } from "./acts.ts"
import { type CompanySpec, companyCamera, type Member } from "./company.ts"
import { type Counts, pools, type SplitName, splitNames } from "./plan.ts"
import { type SceneName, sceneNames } from "./scenes.ts"

/** Videos of each part in the default set. */
export const companyCounts: Counts = { train: 120, test: 40, "test-shift": 40 }

/**
 * Splits a total over the parts in the default set's proportions.
 *
 * @example
 * ```ts
 * import { companyCountsFor } from "@fourtier/puppets"
 *
 * companyCountsFor(50) // { train: 30, test: 10, "test-shift": 10 }
 * ```
 */
export function companyCountsFor(total: number): Counts {
  const whole = splitNames.reduce((sum, split) => sum + companyCounts[split], 0)
  const share = (split: SplitName) => Math.max(1, Math.round((total * companyCounts[split]) / whole))
  return { train: share("train"), test: share("test"), "test-shift": share("test-shift") }
}

/** Seconds of a video; key frames are at whole seconds. */
const SECONDS = 3
const FPS = 25

/** The places of `train` and `test`, and those of `test-shift`. */
export const companyScenes: Record<"home" | "away", readonly SceneName[]> = {
  home: ["room", "street", "gym", "forest"],
  away: sceneNames.filter((name) => name === "beach" || name === "stage"),
}

export interface PlannedCompany extends CompanySpec {
  /** The video's id: its file's name without ending. */
  id: string
  split: SplitName
  codec: "h264"
  crf: number
}

export interface CompanyOptions {
  classes: readonly ActionName[]
  /** Videos of each part. */
  counts: Counts
  seed: number
  width?: number
  height?: number
}

/**
 * Every video of a set, before anything is rendered.
 * @throws FourtierError for fewer than four classes, or a size that cannot be encoded
 *
 * @example
 * ```ts
 * import { companyCounts, demoClasses, planCompanies } from "@fourtier/puppets"
 *
 * planCompanies({ classes: demoClasses, counts: companyCounts, seed: 1 }).length // 200
 * ```
 */
export function planCompanies(options: CompanyOptions): PlannedCompany[] {
  const { counts, seed, width = 320, height = 240 } = options
  const classes = [...new Set(options.classes)].sort()
  if (classes.length < 4) {
    throw new FourtierError({
      where: "classes",
      what: "too few actions for four figures that do different things",
      expected: "4 or more",
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
    Array.from({ length: counts[split] }, (_, i) => planCompany(seed, split, i, classes, width, height)),
  )
}

function planCompany(
  seed: number,
  split: SplitName,
  index: number,
  classes: readonly ActionName[],
  width: number,
  height: number,
): PlannedCompany {
  const own = [seed, "company", split, index].join(" ")
  const rng = Rng.fork(own, "company")
  const side = split === "train" ? "train" : "test"
  const choose = (kind: "person" | "style" | "camera") =>
    `${side}-${kind}-${String(rng.int(pools[side][kind])).padStart(2, "0")}`
  const scenes = companyScenes[split === "test-shift" ? "away" : "home"]
  const camera = choose("camera")
  const actions = rng.shuffle([...classes]).slice(0, rng.pick([2, 2, 3, 3, 4]))
  const members: Member[] = []
  for (const [i, action] of actions.entries()) {
    const place = freePlace(action, members, camera, width / height, rng)
    // a picture without room for one more stays with fewer
    if (place) members.push({ id: i + 1, action, person: choose("person"), style: choose("style"), place })
  }
  return {
    id: `${split}-${String(index).padStart(4, "0")}`,
    split,
    seed: own,
    camera,
    scene: rng.pick(scenes),
    frames: SECONDS * FPS,
    fps: FPS,
    width,
    height,
    members,
    codec: "h264",
    crf: 19 + rng.int(8),
  }
}

/** How much of the further of two figures the nearer may hide. */
const MOST_HIDDEN = 0.5

/** A place from which the figure hides none of the others too much, and is not hidden itself; null where none was found. */
function freePlace(
  action: ActionName,
  others: readonly Member[],
  camera: string,
  aspect: number,
  rng: Rng,
): [number, number] | null {
  const { distance, field } = companyCamera(camera)
  const half = (field * aspect) / 2
  const moves = action === "walk" || action === "run"
  for (let attempt = 0; attempt < 80; attempt++) {
    const z = rng.uniform(-1.8, 1.3)
    const wide = half * ((distance - z) / distance)
    // those who go may do so over the edge
    const x = rng.uniform(-1, 1) * (moves ? wide : Math.max(0, wide - 0.45))
    const hidden = others.map(({ place }) => overlapOf([x, z], place, distance))
    if (hidden.every((share) => share <= MOST_HIDDEN)) return [x, z]
  }
  return null
}

/** Share of the further figure's width that the nearer one covers, both 0.7 m wide. */
function overlapOf(a: readonly [number, number], b: readonly [number, number], distance: number): number {
  const [near, far] = a[1] > b[1] ? [a, b] : [b, a]
  const [left, right] = [near, far].map(([x, z]) => ({ at: x / (distance - z), half: 0.35 / (distance - z) }))
  const shared =
    Math.min(left.at + left.half, right.at + right.half) - Math.max(left.at - left.half, right.at - right.half)
  return Math.max(0, shared) / (2 * right.half)
}
