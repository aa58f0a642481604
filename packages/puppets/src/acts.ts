/** The actions by name. Pairs that share every pose are one performance and its reverse. */

import * as plain from "./acts-body.ts"
import * as handled from "./acts-objects.ts"
import * as travel from "./acts-travel.ts"
import { type Action, reversed } from "./performance.ts"

export const actions = {
  bow: plain.bow,
  clap: plain.clap,
  jump: travel.jump,
  kick: plain.kick,
  lower: (cast) => reversed(handled.raise(cast)),
  "pick-up": handled.pickUp,
  point: plain.point,
  pull: (cast) => reversed(handled.push(cast)),
  punch: plain.punch,
  push: handled.push,
  raise: handled.raise,
  run: travel.run,
  "sit-down": handled.sitDown,
  squat: plain.squat,
  "stand-up": (cast) => reversed(handled.sitDown(cast)),
  throw: handled.throwBall,
  walk: travel.walk,
  wave: plain.wave,
} as const satisfies Record<string, Action>

export type ActionName = keyof typeof actions

const isAction = (name: string): name is ActionName => Object.hasOwn(actions, name)

export const actionNames = Object.keys(actions).filter(isAction).sort()

/** Pairs of classes that share every pose and differ only in their order. */
export const orderPairs: readonly (readonly [ActionName, ActionName])[] = [
  ["sit-down", "stand-up"],
  ["push", "pull"],
  ["raise", "lower"],
]
