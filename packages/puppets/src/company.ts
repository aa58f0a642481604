/**
 * Several figures in one place, each doing something else, and the box of each in every frame.
 *
 * ```
 * spec ─► scene, camera, figures ─► for each frame: poses ─► triangles ─┬─► canvas ─► picture
 *                                                                      └─► corners in the picture ─► boxes
 * ```
 */

import { Rng } from "@fourtier/tensor"
import type { ActionName } from "./acts.ts"
import { type Camera, develop, type Framing, framings, makeCamera, marginsOf, viewOf } from "./camera.ts"
import { OVERSAMPLING, type View } from "./canvas.ts"
import { Actor, Arena, GRAIN } from "./clip.ts"
import { cos, sin, type Vec } from "./math.ts"
import { Mesh } from "./mesh.ts"
import { buildScene, type SceneName } from "./scenes.ts"
import { paintWorld, type Scene } from "./world.ts"

/** One figure of a company. */
export interface Member {
  /** Number of the figure in its video: its track. */
  id: number
  action: ActionName
  person: string
  style: string
  /** Where it stands, metres to the right of the middle and towards the camera; the middle of its way where it walks. */
  place: readonly [x: number, z: number]
}

/** All that decides the pixels of a video with several figures. */
export interface CompanySpec {
  seed: string
  camera: string
  scene: SceneName
  frames: number
  fps: number
  width: number
  height: number
  members: Member[]
}

/** A figure in a frame: shares of the picture's width and height, cut off at its edges. */
export interface MemberBox {
  id: number
  box: [x1: number, y1: number, x2: number, y2: number]
  /** Share of the figure's own box that lies in the picture. */
  inside: number
}

/** Further away and wider than for one figure. */
export function companyCamera(id: string): Camera {
  const rng = Rng.fork("company camera", id)
  return { ...makeCamera(id), distance: rng.uniform(6.4, 7.6), field: rng.uniform(3, 3.5), yaw: rng.uniform(-12, 12) }
}

/** Renders the frames of a company in any order. */
export class CompanyRenderer {
  readonly spec: CompanySpec
  readonly #actors: Actor[]
  readonly #scene: Scene
  readonly #view: View
  readonly #framings: Framing[]
  readonly #arena: Arena
  readonly #body = new Mesh()
  readonly #unused = new Mesh()
  readonly #canvas: { width: number; height: number }
  #painted = false

  constructor(spec: CompanySpec, arena = new Arena()) {
    this.spec = spec
    this.#arena = arena
    const { seed, width, height, frames, fps } = spec
    const camera = companyCamera(spec.camera)
    this.#actors = spec.members.map(({ id, action, person, style, place: [x, z] }) => {
      return new Actor({ seed: `${seed} ${id}`, action, person, style, frames, fps }, camera, [x, 0, z])
    })
    this.#scene = buildScene(spec.scene, Rng.fork(seed, "scene"))
    const still = new Array<number>(frames).fill(0)
    this.#framings = framings(camera, width, frames, still, Rng.fork(seed, "shake"))
    const margins = marginsOf(this.#framings, width, height)
    const target: Vec = [0, camera.field * 0.36, 0]
    this.#view = viewOf(camera, target, width, height, margins)
    this.#canvas = {
      width: (width + 2 * margins.x) * OVERSAMPLING,
      height: (height + 2 * margins.y) * OVERSAMPLING,
    }
  }

  /** Writes frame `index` as [height, width, 3] RGB. */
  frame(index: number, picture: Uint8Array): void {
    const { width, height } = this.spec
    const { kept, canvas, people, things } = this.#arena
    const { light } = this.#scene
    if (!this.#painted) {
      for (const each of [kept, canvas]) each.resize(this.#canvas.width, this.#canvas.height)
      paintWorld(kept, this.#scene, this.#view)
      canvas.copy(kept)
      this.#painted = true
    }
    people.clear()
    things.clear()
    for (const actor of this.#actors) actor.draw(people, things, this.#share(index))
    canvas.restore(kept)
    canvas.castShadows([people, things], this.#view, light)
    canvas.draw(people, this.#view, light)
    canvas.draw(things, this.#view, light)
    develop(canvas, this.#framings[index], width, height, picture, GRAIN, 7919 * (index + 1))
  }

  /** The figures of frame `index` of which something is in the picture: the extent of all their triangles. */
  boxes(index: number): MemberBox[] {
    return this.#actors.flatMap((actor, i) => {
      this.#body.clear()
      this.#unused.clear()
      actor.draw(this.#body, this.#unused, this.#share(index))
      const found = this.#boxOf(this.#body, index)
      return found === null ? [] : [{ id: this.spec.members[i].id, ...found }]
    })
  }

  #share(index: number): number {
    return this.spec.frames > 1 ? index / (this.spec.frames - 1) : 0
  }

  #boxOf({ data, vertices }: Mesh, index: number): Omit<MemberBox, "id"> | null {
    const { eye, right, up, forward, focal, centreX, centreY } = this.#view
    const { x: shiftX, y: shiftY, zoom, roll } = this.#framings[index]
    const { width, height } = this.spec
    const [c, s, k] = [cos(roll), sin(roll), OVERSAMPLING / zoom]
    const whole = [
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]
    for (let i = 0, at = 0; i < vertices; i++, at += 9) {
      const [x, y, z] = [data[at] - eye[0], data[at + 1] - eye[1], data[at + 2] - eye[2]]
      const near = 1 / Math.max(x * forward[0] + y * forward[1] + z * forward[2], 0.2)
      // on the canvas, from the picture's middle; then turned and scaled as the picture is
      const dx = centreX + focal * (x * right[0] + y * right[1] + z * right[2]) * near - this.#canvas.width / 2
      const dy = centreY - focal * (x * up[0] + y * up[1] + z * up[2]) * near - this.#canvas.height / 2
      const [mx, my] = [dx - shiftX * OVERSAMPLING, dy - shiftY * OVERSAMPLING]
      const px = ((c * mx + s * my) / k + width / 2) / width
      const py = ((c * my - s * mx) / k + height / 2) / height
      whole[0] = Math.min(whole[0], px)
      whole[1] = Math.min(whole[1], py)
      whole[2] = Math.max(whole[2], px)
      whole[3] = Math.max(whole[3], py)
    }
    const held = whole.map((value) => Math.min(1, Math.max(0, value)))
    const area = (of: readonly number[]) => (of[2] - of[0]) * (of[3] - of[1])
    const inside = area(held) / area(whole)
    return inside > 0 ? { box: [held[0], held[1], held[2], held[3]], inside } : null
  }
}
