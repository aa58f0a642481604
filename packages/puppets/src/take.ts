/**
 * A long take: one figure does several things in a row, and stands, walks and does other things in between.
 *
 * ```
 * items ─► pieces (a performance, where, from when to when) ─┬─► spans
 *                                                            └─► every moment: a piece, or the passage from one to the next ─► picture
 * ```
 */

import { Rng } from "@fourtier/tensor"
import { type ActionName, actions } from "./acts.ts"
import { gesture, stand, stroll, strollSeconds } from "./acts-idle.ts"
import { type Camera, develop, type Framing, framings, makeCamera, marginsOf, viewOf } from "./camera.ts"
import { OVERSAMPLING, type View } from "./canvas.ts"
import { Arena, GRAIN, mirrorHolds } from "./clip.ts"
import { drawFigure } from "./figure.ts"
import { add, apply, clamp, DEGREE, lerp, minimumJerk, mix, rotation, sin, sub, type Vec } from "./math.ts"
import type { Mesh } from "./mesh.ts"
import { alive, type Cast, type Performance, reversed, sizeOf } from "./performance.ts"
import { makePerson, makeStyle, type Person } from "./person.ts"
import { channels, mirrored, type Pose } from "./pose.ts"
import { buildScene, type SceneName } from "./scenes.ts"
import { type Joints, placed, solve } from "./skeleton.ts"
import { paintWorld, type Scene } from "./world.ts"

/** One thing that the figure does. */
export interface TakeItem {
  act: ActionName | "stand" | "gesture"
  seconds: number
  /** Where, metres to the right of the middle and towards the camera; null: where it is. */
  place: readonly [x: number, z: number] | null
}

/** All that decides the pixels of a take, but for its length. */
export interface TakeSpec {
  seed: string
  person: string
  style: string
  camera: string
  scene: SceneName
  fps: number
  width: number
  height: number
  items: TakeItem[]
}

/** A performance in its place. */
export interface Piece {
  what: TakeItem["act"] | "walk"
  /** Seconds of the take: of the performance itself, without what is held before and after it. */
  start: number
  seconds: number
  /** Seconds that the figure is at the ready before, and stays as it is after: whoever handles a thing has it in hand a while. */
  before: number
  after: number
  performance: Performance
  origin: Vec
  /** Radians. */
  heading: number
}

/** A further way than this is walked, a shorter one is made up for on the way from pose to pose. */
const REACH = 0.45

/** Further away and wider than for a clip. */
export function takeCamera(id: string): Camera {
  const rng = Rng.fork("take camera", id)
  const own = makeCamera(id)
  return {
    ...own,
    distance: rng.uniform(5.8, 6.8),
    field: rng.uniform(2.75, 3.1),
    yaw: rng.uniform(-14, 14),
    pan: 0,
    zoom: 1,
    shake: own.shake * 0.5,
  }
}

/** What the figure of a take is made of. */
function castOf(spec: Pick<TakeSpec, "person" | "style">): { person: Person; cast: Omit<Cast, "rng" | "seconds"> } {
  const person = makePerson(spec.person)
  return { person, cast: { body: person.body, style: makeStyle(spec.style) } }
}

/**
 * The pieces of a take, one after the other, with walks where the next place is too far away, and its length in seconds.
 *
 * @example
 * ```ts
 * const { seconds } = stageTake({ seed: "1", person: "a", style: "b", camera: "c", items: [{ act: "wave", seconds: 2, place: null }] })
 * ```
 */
export function stageTake(spec: Omit<TakeSpec, "scene" | "fps" | "width" | "height">): {
  pieces: Piece[]
  seconds: number
} {
  const { cast } = castOf(spec)
  const camera = takeCamera(spec.camera)
  const pieces: Piece[] = []
  let now = 0
  const follow = (piece: Omit<Piece, "start">, pause: number) => {
    now += (pieces.length > 0 ? pause : 0) + piece.before
    pieces.push({ ...piece, start: now })
    now += piece.seconds + piece.after
  }
  for (const [i, { act, seconds, place }] of spec.items.entries()) {
    const rng = Rng.fork(spec.seed, "piece", i)
    const whole = pieces.at(-1)
    if (whole && undoes(act, whole.what)) {
      // on the same chair, with the same load: the first half's performance, played backwards
      const { performance, origin, heading } = whole
      const wait = rng.uniform(0.8, 2.5)
      now += wait - whole.after
      whole.after = wait
      const back = { what: act, seconds, before: 0, after: rng.uniform(0.4, 1), performance: reversed(performance) }
      follow({ ...back, origin, heading }, 0)
      continue
    }
    const own: Cast = { ...cast, rng, seconds }
    const performance = performanceOf(act, own)
    const held = performance.props.length > 0
    const [before, after] = held ? [rng.uniform(0.6, 1.8), rng.uniform(0.5, 1.4)] : [0, 0]
    const [low, high] = performance.facing
    const side = rng.next() < 0.5 ? -1 : 1
    const heading = (side * rng.uniform(low, high) + camera.aspect * 0.6 + camera.yaw) * DEGREE
    const last = pieces.at(-1)
    const here = last ? footprint(last, 1, cast.body, cast.style.leftHanded) : null
    const middle = (performance.from + performance.to) / 2
    const spot: Vec | null = place ? [place[0], 0, place[1]] : null
    let origin: Vec = add(spot ?? here ?? [0, 0, 0], apply(rotation(0, heading, 0), [0, 0, -middle]))
    const piece = { what: act, seconds, before, after, performance, heading }
    const there = footprint({ ...piece, origin }, 0, cast.body, cast.style.leftHanded)
    const pause = rng.uniform(0.45, 0.7)
    if (here) {
      const way = sub(there, here)
      const metres = Math.hypot(way[0], way[2])
      if (spot && metres > REACH) {
        const walk = { ...cast, rng: Rng.fork(spec.seed, "way", i), seconds: strollSeconds(cast, metres) }
        const between = {
          ...{ what: "walk" as const, seconds: walk.seconds, before: 0, after: 0 },
          ...{ performance: stroll(walk, metres), origin: lerp(here, there, 0.5), heading: Math.atan2(way[0], way[2]) },
        }
        follow(between, rng.uniform(0.45, 0.7))
      } else if (!spot) origin = add(origin, sub(here, there))
    }
    follow({ ...piece, origin }, pause)
  }
  return { pieces, seconds: now }
}

/** What has to be undone before anything else can be done: who sits stands up, what is overhead is lowered. */
export const undone: ReadonlyMap<ActionName, ActionName> = new Map([
  ["sit-down", "stand-up"],
  ["raise", "lower"],
])

const undoes = (act: string, before: string) =>
  [...undone].some(([first, second]) => first === before && second === act)

function performanceOf(act: TakeItem["act"], cast: Cast): Performance {
  if (act === "stand") return stand(cast)
  return act === "gesture" ? gesture(cast) : actions[act](cast)
}

/** Where the pelvis is, seen from above, at a share of the piece. */
function footprint(
  { performance, origin, heading }: Pick<Piece, "performance" | "origin" | "heading">,
  t: number,
  body: Cast["body"],
  leftHanded: boolean,
): Vec {
  const { x, z } = performance.pose(t)
  const size = sizeOf(body)
  return add(origin, apply(rotation(0, heading, 0), [(leftHanded ? -x : x) * size, 0, z * size]))
}

/** The figure at one moment. */
interface Moment {
  joints: Joints
  pose: Pose
  /** The piece it is in, and at what share; null on the way between two. */
  piece: { piece: Piece; t: number } | null
}

/** Renders the frames of a take in any order. */
export class TakeRenderer {
  readonly spec: TakeSpec
  readonly frames: number
  readonly pieces: readonly Piece[]
  readonly #person: Person
  readonly #cast: Omit<Cast, "rng" | "seconds">
  readonly #living: (pose: Pose, t: number) => Pose
  readonly #scene: Scene
  readonly #view: View
  readonly #framings: Framing[]
  readonly #arena: Arena

  constructor(spec: TakeSpec, arena = new Arena()) {
    this.spec = spec
    this.#arena = arena
    const { seed, width, height, fps } = spec
    const { pieces, seconds } = stageTake(spec)
    this.pieces = pieces
    this.frames = framesOf(seconds, fps)
    const { person, cast } = castOf(spec)
    this.#person = person
    this.#cast = cast
    this.#living = alive({ ...cast, rng: Rng.fork(seed, "alive"), seconds: 1 })
    const camera = takeCamera(spec.camera)
    this.#scene = buildScene(spec.scene, Rng.fork(seed, "scene"))
    const still = new Array<number>(this.frames).fill(0)
    // a hand shakes by the second, however long the take is: a clip is two of them
    const share = (i: number) => i / fps / 2
    this.#framings = framings(camera, width, this.frames, still, Rng.fork(seed, "shake"), share)
    const margins = marginsOf(this.#framings, width, height)
    const target: Vec = [0, camera.field * 0.38, 0]
    this.#view = viewOf(camera, target, width, height, margins)
    for (const canvas of [arena.kept, arena.canvas]) {
      canvas.resize((width + 2 * margins.x) * OVERSAMPLING, (height + 2 * margins.y) * OVERSAMPLING)
    }
    paintWorld(arena.kept, this.#scene, this.#view)
    arena.canvas.copy(arena.kept)
  }

  /** Writes frame `index` as [height, width, 3] RGB. */
  frame(index: number, picture: Uint8Array): void {
    const { width, height, fps } = this.spec
    const { canvas, kept, people, things } = this.#arena
    people.clear()
    things.clear()
    this.#draw(people, things, index / fps)
    const { light } = this.#scene
    canvas.restore(kept)
    canvas.castShadows([people, things], this.#view, light)
    canvas.draw(people, this.#view, light)
    canvas.draw(things, this.#view, light)
    develop(canvas, this.#framings[index], width, height, picture, GRAIN, 7919 * (index + 1))
  }

  /** The joints in the world at a second of the take. */
  joints(time: number): Joints {
    return this.#moment(time).joints
  }

  #moment(time: number): Moment {
    const { pieces } = this
    const next = pieces.findIndex(({ start, before }) => start - before > time)
    const i = next < 0 ? pieces.length - 1 : Math.max(0, next - 1)
    const piece = pieces[i]
    const t = (time - piece.start) / piece.seconds
    const over = time - (piece.start + piece.seconds + piece.after)
    if (over <= 0 || next < 0) {
      const own = this.#pose(piece, t, time)
      return { ...own, joints: placed(own.joints, piece.origin, piece.heading), piece: { piece, t } }
    }
    const following = pieces[next]
    const until = following.start - following.before
    return this.#passage(piece, following, clamp(over / (over + until - time), 0, 1), time)
  }

  #pose({ performance }: Piece, t: number, time: number): { joints: Joints; pose: Pose } {
    const plain = this.#living(performance.pose(t), time)
    const holds = performance.holds?.(t) ?? {}
    const mirror = this.#cast.style.leftHanded
    const pose = mirror ? mirrored(plain) : plain
    return { joints: solve(this.#cast.body, pose, mirror ? mirrorHolds(holds) : holds), pose }
  }

  /** From the end of one piece to the start of the next, with a small step of each foot. */
  #passage(from: Piece, to: Piece, share: number, time: number): Moment {
    const { body, style } = this.#cast
    const last = from.performance.pose(1 + from.after / from.seconds)
    const first = to.performance.pose(-to.before / to.seconds)
    const e = minimumJerk(share)
    const plain = { ...last }
    for (const name of channels) plain[name] = mix(last[name], first[name], e)
    const turn = angleBetween(from.heading, to.heading)
    const heading = from.heading + turn * e
    const a = footprint(from, 1 + from.after / from.seconds, body, style.leftHanded)
    const b = footprint(to, -to.before / to.seconds, body, style.leftHanded)
    const way = Math.hypot(b[0] - a[0], b[2] - a[2])
    const lift = clamp(Math.abs(turn) / 0.6 + way / 0.15, 0, 1) * 0.07
    plain.leftFootY += lift * sin(Math.PI * clamp(2 * share, 0, 1))
    plain.rightFootY += lift * sin(Math.PI * clamp(2 * share - 1, 0, 1))
    const living = this.#living(plain, time)
    const pose = style.leftHanded ? mirrored(living) : living
    const holds =
      (share < 0.5 ? from : to).performance.holds?.(
        share < 0.5 ? 1 + from.after / from.seconds : -to.before / to.seconds,
      ) ?? {}
    const joints = solve(body, pose, style.leftHanded ? mirrorHolds(holds) : holds)
    const size = sizeOf(body)
    // the sway of standing is not part of where the figure is
    const foot: Vec = [(style.leftHanded ? -plain.x : plain.x) * size, 0, plain.z * size]
    const origin = sub(lerp(a, b, e), apply(rotation(0, heading, 0), foot))
    return { joints: placed(joints, origin, heading), pose, piece: null }
  }

  #draw(people: Mesh, things: Mesh, time: number): void {
    const { joints, pose, piece } = this.#moment(time)
    const pointing = piece?.piece.performance.pointing
    const mirror = this.#cast.style.leftHanded
    drawFigure(people, this.#person, joints, {
      curl: { left: pose.leftCurl, right: pose.rightCurl },
      pointing: pointing && mirror ? (pointing === "left" ? "right" : "left") : pointing,
    })
    if (!piece) return
    const { performance, origin, heading } = piece.piece
    const turned = rotation(0, heading, 0)
    for (const prop of performance.props) {
      const seen = (s: number) => {
        const plain = this.#living(performance.pose(s), piece.piece.start + s * piece.piece.seconds)
        return solve(this.#cast.body, plain, performance.holds?.(s) ?? {})
      }
      const { place, basis } = prop.at(piece.t, seen)
      const side: Vec = mirror ? [-place[0], place[1], place[2]] : place
      prop.draw(things, {
        place: add(origin, apply(turned, side)),
        basis: { x: apply(turned, basis.x), y: apply(turned, basis.y), z: apply(turned, basis.z) },
      })
    }
  }
}

/** Frames of a take: whole ones. */
export function framesOf(seconds: number, fps: number): number {
  return Math.floor(seconds * fps)
}

/** The shorter way round, radians. */
function angleBetween(from: number, to: number): number {
  const turn = (to - from) % (2 * Math.PI)
  return turn > Math.PI ? turn - 2 * Math.PI : turn < -Math.PI ? turn + 2 * Math.PI : turn
}
