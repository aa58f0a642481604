import { Rng } from "@fourtier/tensor"
import { describe, expect, test } from "vitest"
import { actionNames, actions, orderPairs } from "../src/acts.ts"
import { cos, cross, distance, dot, rotation, sin, sub, unit } from "../src/math.ts"
import type { Cast } from "../src/performance.ts"
import { makePerson, makeStyle } from "../src/person.ts"
import { mirrored, type Pose, standing } from "../src/pose.ts"
import { type Joints, type Limb, sides, solve } from "../src/skeleton.ts"

const times = Array.from({ length: 25 }, (_, i) => i / 24)

function castOf(index: number): Cast {
  const body = makePerson(`somebody ${index}`).body
  return { rng: Rng.fork("skeleton", index), body, style: makeStyle(`manner ${index}`), seconds: 2.1 }
}

/** How far a hinge is bent, in radians: 0 is straight. */
function bendOf(limb: Limb): number {
  const a = unit(sub(limb.hinge, limb.root))
  const b = unit(sub(limb.tip, limb.hinge))
  const c = cross(a, b)
  return Math.atan2(Math.sqrt(dot(c, c)), dot(a, b))
}

describe("the skeleton", () => {
  test("keeps bone lengths and joint limits in every action", () => {
    for (const name of actionNames) {
      for (let index = 0; index < 6; index++) {
        const cast = castOf(index)
        const { body } = cast
        const performance = actions[name](cast)
        for (const t of times) {
          const joints = solve(body, performance.pose(t), performance.holds?.(t))
          for (const side of sides) {
            const arm = joints.arms[side]
            const leg = joints.legs[side]
            expect(distance(arm.root, arm.hinge)).toBeCloseTo(body.upperArm, 6)
            expect(distance(arm.hinge, arm.tip)).toBeCloseTo(body.foreArm, 6)
            expect(distance(leg.root, leg.hinge)).toBeCloseTo(body.thigh, 6)
            expect(distance(leg.hinge, leg.tip)).toBeCloseTo(body.shank, 6)
            expect(bendOf(arm)).toBeLessThan((151 / 180) * Math.PI)
            expect(bendOf(leg)).toBeLessThan((156 / 180) * Math.PI)
          }
          expect(distance(joints.pelvis, joints.waist)).toBeCloseTo(body.lowerSpine, 6)
        }
      }
    }
  })

  test("bends knees forward and never under the floor", () => {
    for (const name of actionNames) {
      const cast = castOf(3)
      const performance = actions[name](cast)
      for (const t of times) {
        const { legs } = solve(cast.body, performance.pose(t), performance.holds?.(t))
        for (const side of sides) {
          const { root, hinge, tip, end } = legs[side]
          const middle = (root[0] + tip[0]) / 2
          const ahead = (hinge[0] - middle) * end.z[0] + (hinge[2] - (root[2] + tip[2]) / 2) * end.z[2]
          expect(ahead, `${name} at ${t}`).toBeGreaterThan(-0.12)
          expect(tip[1], `${name} at ${t}`).toBeGreaterThan(0.02)
        }
      }
    }
  })

  test("plants feet: a foot on the ground does not slide while the body walks on", () => {
    for (const name of ["walk", "push"] as const) {
      const cast = castOf(1)
      const performance = actions[name](cast)
      let planted = 0
      for (let i = 1; i < 200; i++) {
        const before = performance.pose((i - 1) / 200)
        const after = performance.pose(i / 200)
        for (const side of sides) {
          if (before[`${side}FootY`] > 0 || after[`${side}FootY`] > 0) continue
          planted++
          expect(Math.abs(after[`${side}FootZ`] - before[`${side}FootZ`])).toBeLessThan(1e-9)
        }
      }
      expect(planted).toBeGreaterThan(150)
    }
  })

  test("brings gripping hands to the thing they hold", () => {
    for (const name of ["push", "raise"] as const) {
      for (let index = 0; index < 8; index++) {
        const cast = castOf(index)
        const performance = actions[name](cast)
        for (const t of times) {
          const holds = performance.holds?.(t) ?? {}
          const joints = solve(cast.body, performance.pose(t), holds)
          for (const side of sides) {
            expect(distance(joints.arms[side].tip, holds[side]!.place), `${name} ${index} at ${t}`).toBeLessThan(0.06)
          }
        }
      }
    }
  })

  test("plays the second half of an order pair as the first backwards, pose for pose", () => {
    for (const [first, second] of orderPairs) {
      const forward = actions[first](castOf(4))
      const backward = actions[second](castOf(4))
      for (const t of times) expect(backward.pose(t)).toEqual(forward.pose(1 - t))
    }
  })

  test("a mirrored pose gives the mirrored joints", () => {
    const { body } = castOf(2)
    const pose: Pose = { ...standing(), spineYaw: 20, headRoll: 9, leftFlex: 80, leftAbd: 30, rightFootY: 0.3, x: 0.05 }
    const one = solve(body, pose)
    const other = solve(body, mirrored(pose))
    const places = (joints: Joints, flip: number) =>
      [
        joints.headBase,
        joints.arms[flip > 0 ? "left" : "right"].tip,
        joints.legs[flip > 0 ? "right" : "left"].tip,
      ].flatMap(([x, y, z]) => [x * flip, y, z])
    const expected = places(one, 1)
    places(other, -1).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 9)
    })
    expect(mirrored(mirrored(pose))).toEqual(pose)
  })

  test("its own sine and cosine agree with the platform's, and rotations are orthonormal", () => {
    for (let a = -9; a < 9; a += 0.01) {
      expect(Math.abs(sin(a) - Math.sin(a))).toBeLessThan(1e-6)
      expect(Math.abs(cos(a) - Math.cos(a))).toBeLessThan(1e-6)
    }
    const { x, y, z } = rotation(0.4, -1.1, 0.3)
    expect(distance(x, [y[1] * z[2] - y[2] * z[1], y[2] * z[0] - y[0] * z[2], y[0] * z[1] - y[1] * z[0]])).toBeLessThan(
      1e-6,
    )
  })
})
