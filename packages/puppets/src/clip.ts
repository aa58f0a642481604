/**
 * One clip, frame by frame.
 *
 * ```
 * spec ─► person, style, camera, scene, action ─► for each frame: pose ─► joints ─► triangles ─► canvas ─► picture
 * ```
 */

import { Rng } from "@fourtier/tensor"
import { type ActionName, actions } from "./acts.ts"
import { type Camera, develop, type Framing, framings, makeCamera, marginsOf, viewOf } from "./camera.ts"
import { Canvas, OVERSAMPLING, type View } from "./canvas.ts"
import { drawFigure } from "./figure.ts"
import { add, apply, DEGREE, dot, rotation, sub, type Vec } from "./math.ts"
import { Mesh } from "./mesh.ts"
import { alive, type Cast, footfalls, type Gait, type Performance, rest, swing } from "./performance.ts"
import { makePerson, makeStyle, type Person } from "./person.ts"
import { mirrored, type Pose, type Side } from "./pose.ts"
import { makeBystandingThing } from "./props.ts"
import { buildScene, type SceneName } from "./scenes.ts"
import { type Hold, type Joints, placed, sides, solve } from "./skeleton.ts"
import { paintWorld, type Scene } from "./world.ts"

/** All that decides a clip's pixels. */
export interface ClipSpec {
  /** Every random draw of the clip follows from this. */
  seed: string
  action: ActionName
  person: string
  style: string
  camera: string
  scene: SceneName
  frames: number
  fps: number
  width: number
  height: number
}

/** Levels of sensor noise by light. */
export const GRAIN = 2.2

/** Memory that renderers share one after another: the latest one made owns it. */
export class Arena {
  readonly kept = new Canvas()
  readonly canvas = new Canvas()
  readonly people = new Mesh()
  readonly things = new Mesh()
}

/** Renders the frames of a clip in any order. */
export class ClipRenderer {
  readonly spec: ClipSpec
  readonly #actor: Actor
  readonly #crowd: Bystander[]
  readonly #scene: Scene
  readonly #view: View
  readonly #framings: Framing[]
  readonly #arena: Arena

  constructor(spec: ClipSpec, arena = new Arena()) {
    this.spec = spec
    this.#arena = arena
    const { width, height, frames } = spec
    const camera = makeCamera(spec.camera)
    this.#actor = new Actor(spec, camera)
    this.#scene = buildScene(spec.scene, Rng.fork(spec.seed, "scene"))
    const target: Vec = [0, camera.field * 0.415, 0]
    const bare = viewOf(camera, target, width, height, { x: 0, y: 0 })
    const follow = Array.from({ length: frames }, (_, i) => this.#actor.drift(i / Math.max(1, frames - 1), bare))
    this.#framings = framings(camera, width, frames, follow, Rng.fork(spec.seed, "shake"))
    const margins = marginsOf(this.#framings, width, height)
    this.#view = viewOf(camera, target, width, height, margins)
    for (const canvas of [arena.kept, arena.canvas]) {
      canvas.resize((width + 2 * margins.x) * OVERSAMPLING, (height + 2 * margins.y) * OVERSAMPLING)
    }
    const rng = Rng.fork(spec.seed, "crowd")
    this.#crowd = crowdOf(this.#scene, rng, spec)
    addClutter(this.#scene, rng)
    paintWorld(arena.kept, this.#scene, this.#view)
    arena.canvas.copy(arena.kept)
  }

  /** Writes frame `index` as [height, width, 3] RGB. */
  frame(index: number, picture: Uint8Array): void {
    const { spec } = this
    const { canvas, people, things } = this.#arena
    const t = spec.frames > 1 ? index / (spec.frames - 1) : 0
    people.clear()
    things.clear()
    for (const bystander of this.#crowd) bystander.draw(people, t)
    this.#actor.draw(people, things, t)
    const { light } = this.#scene
    canvas.restore(this.#arena.kept)
    canvas.castShadows([people, things], this.#view, light)
    canvas.draw(people, this.#view, light)
    canvas.draw(things, this.#view, light)
    develop(canvas, this.#framings[index], spec.width, spec.height, picture, GRAIN, 7919 * (index + 1))
  }
}

/** What a figure and its motion follow from. */
export type ActorSpec = Pick<ClipSpec, "seed" | "action" | "person" | "style" | "frames" | "fps">

/** The person the clip is about. */
export class Actor {
  readonly person: Person
  readonly performance: Performance
  readonly heading: number
  readonly #mirror: boolean
  readonly #alive: (pose: Pose, t: number) => Pose
  readonly #origin: Vec

  /** @param place where it stands; the middle of its way where it goes */
  constructor(spec: ActorSpec, camera: Camera, place: Vec = [0, 0, 0]) {
    const rng = Rng.fork(spec.seed, "action")
    const style = makeStyle(spec.style)
    this.person = makePerson(spec.person)
    const cast: Cast = { rng, body: this.person.body, style, seconds: spec.frames / spec.fps }
    this.performance = actions[spec.action](cast)
    this.#mirror = style.leftHanded
    this.#alive = alive(cast)
    const [low, high] = this.performance.facing
    const side = rng.next() < 0.5 ? -1 : 1
    this.heading = (side * rng.uniform(low, high) + camera.aspect * 0.6 + camera.yaw) * DEGREE
    const middle = (this.performance.from + this.performance.to) / 2
    this.#origin = add(place, apply(rotation(0, this.heading, 0), [0, 0, -middle]))
  }

  /** Joints in the world at clip share `t`. */
  joints(t: number): Joints {
    return placed(this.#own(t).joints, this.#origin, this.heading)
  }

  #own(t: number): { joints: Joints; pose: Pose } {
    const plain = this.#alive(this.performance.pose(t), t)
    const holds = this.performance.holds?.(t) ?? {}
    const pose = this.#mirror ? mirrored(plain) : plain
    return { joints: solve(this.person.body, pose, this.#mirror ? mirrorHolds(holds) : holds), pose }
  }

  /** How far the camera turns after the actor, in finished pixels. */
  drift(t: number, view: View): number {
    const { from, to, follow } = this.performance
    if (follow === 0) return 0
    const way = apply(rotation(0, this.heading, 0), [0, 0, (to - from) * (t - 0.5)])
    const far = dot(sub([0, 1, 0], view.eye), view.forward)
    return (follow * dot(way, view.right) * view.focal) / far / OVERSAMPLING
  }

  draw(people: Mesh, things: Mesh, t: number): void {
    const { joints, pose } = this.#own(t)
    const pointing = this.performance.pointing
    drawFigure(people, this.person, placed(joints, this.#origin, this.heading), {
      curl: { left: pose.leftCurl, right: pose.rightCurl },
      pointing: pointing && this.#mirror ? (pointing === "left" ? "right" : "left") : pointing,
    })
    const turned = rotation(0, this.heading, 0)
    for (const prop of this.performance.props) {
      const { place, basis } = prop.at(t, (s) => this.#unmirrored(s))
      const side: Vec = this.#mirror ? [-place[0], place[1], place[2]] : place
      prop.draw(things, {
        place: add(this.#origin, apply(turned, side)),
        basis: { x: apply(turned, basis.x), y: apply(turned, basis.y), z: apply(turned, basis.z) },
      })
    }
  }

  #unmirrored(t: number): Joints {
    return solve(this.person.body, this.#alive(this.performance.pose(t), t), this.performance.holds?.(t) ?? {})
  }
}

/** Where gripping hands go, with left and right exchanged. */
export function mirrorHolds(holds: Partial<Record<Side, Hold>>): Partial<Record<Side, Hold>> {
  const flip = (v: Vec): Vec => [-v[0], v[1], v[2]]
  const turned: Partial<Record<Side, Hold>> = {}
  for (const side of sides) {
    const hold = holds[side]
    if (!hold) continue
    turned[side === "left" ? "right" : "left"] = {
      place: flip(hold.place),
      fingers: flip(hold.fingers),
      palm: flip(hold.palm),
    }
  }
  return turned
}

/** Somebody in the background: stands, talks or strolls by. */
class Bystander {
  readonly #person: Person
  readonly #pose: (t: number) => Pose
  readonly #place: (t: number) => Vec
  readonly #heading: number

  constructor(x: number, z: number, rng: Rng, seconds: number) {
    this.#person = makePerson(`bystander ${rng.int(40)}`)
    const style = makeStyle(`bystander ${rng.int(40)}`)
    const cast: Cast = { rng, body: this.#person.body, style, seconds }
    const living = alive(cast)
    const ground = rest(cast)
    if (rng.next() < 0.4) {
      const gait: Gait = { step: 0.6, lift: 0.06, stance: 0.6, peel: 38, flick: 0.05 }
      const speed = rng.uniform(0.7, 1.1)
      const side = rng.next() < 0.5 ? -1 : 1
      this.#heading = (side * Math.PI) / 2 + rng.uniform(-0.2, 0.2)
      this.#place = (t) => [x + side * speed * seconds * (t - 0.5), 0, z]
      this.#pose = (t) => {
        const gone = speed * seconds * t
        const feet = footfalls(gone, gait, 1)
        return {
          ...ground,
          ...swing(gone, gait, 1),
          ...feet,
          leftFootZ: (feet.leftFootZ ?? 0) - gone,
          rightFootZ: (feet.rightFootZ ?? 0) - gone,
        }
      }
      return
    }
    this.#heading = rng.uniform(-1.6, 1.6)
    this.#place = () => [x, 0, z]
    const manner = rng.pick([
      { leftFlex: 30, rightFlex: 30, leftAbd: -14, rightAbd: -16, leftReach: 0.62, rightReach: 0.62 },
      { leftAbd: 32, rightAbd: 32, leftReach: 0.66, rightReach: 0.66, leftFlex: 8, rightFlex: 8 },
      {},
      { rightFlex: 40, rightReach: 0.6, rightAbd: 6 },
    ])
    this.#pose = (t) => living({ ...ground, ...manner }, t)
  }

  draw(mesh: Mesh, t: number): void {
    const joints = placed(solve(this.#person.body, this.#pose(t)), this.#place(t), this.#heading)
    drawFigure(mesh, this.#person, joints, { curl: { left: 0.4, right: 0.4 }, coarse: true })
  }
}

function crowdOf(scene: Scene, rng: Rng, spec: ClipSpec): Bystander[] {
  const count = rng.pick([0, 0, 1, 1, 2])
  return rng
    .shuffle(scene.spots)
    .slice(0, count)
    .map(([x, z]) => new Bystander(x + rng.uniform(-0.3, 0.3), z, rng, spec.frames / spec.fps))
}

/** A chair, cart, bag or ball that nobody uses, in some clips. */
function addClutter(scene: Scene, rng: Rng): void {
  if (rng.next() > 0.35) return
  const x = rng.pick([-1, 1]) * rng.uniform(1, 1.6)
  const draw = makeBystandingThing(rng)
  draw(scene.props, { place: [x, 0, rng.uniform(-1.5, -0.9)], basis: rotation(0, rng.uniform(-1.5, 1.5), 0) })
}
