/** The classes, how many clips each has, and which clips are shown. */

import { useState } from "preact/hooks"
import { BACKGROUND } from "../engine/training-job.ts"
import type { api } from "../home.ts"
import { text } from "../strings.ts"
import { colourOf, type Model } from "./model.ts"

export type Filter = { kind: "all" | "none" | "aside" | "removed" } | { kind: "class"; name: string }

export function matches(filter: Filter, { label, problem, removed }: api.Clip): boolean {
  if (filter.kind === "removed") return removed
  if (removed) return false
  if (filter.kind === "aside") return problem !== null
  if (filter.kind === "none") return label === null && problem === null
  return filter.kind !== "class" || label === filter.name
}

export function ClassList({ model, filter, choose }: { model: Model; filter: Filter; choose(filter: Filter): void }) {
  const [name, setName] = useState("")
  const counted = (one: Filter) => model.clips.filter((clip) => matches(one, clip)).length
  const add = (event: Event) => {
    event.preventDefault()
    const clean = name.trim()
    if (clean === "") return
    setName("")
    void model.attempt(() => model.home.setClasses([...model.classes, clean]))
  }
  const row = (one: Filter, title: string) => (
    <button type="button" class="row" aria-pressed={filter.kind === one.kind} onClick={() => choose(one)}>
      <span>{title}</span>
      <data value={counted(one)}>{counted(one)}</data>
    </button>
  )
  return (
    <aside class="classes" aria-label={text.classes}>
      <h2>{text.classes}</h2>
      <div class="rows">
        {model.classes.map((own, place) => (
          <button
            key={own}
            type="button"
            class="row"
            aria-pressed={filter.kind === "class" && filter.name === own}
            onClick={() => choose({ kind: "class", name: own })}
          >
            <i class="swatch" style={{ background: colourOf(place) }} aria-hidden="true" />
            <span>{own}</span>
            {place < 9 && <kbd>{place + 1}</kbd>}
            <data value={counted({ kind: "class", name: own })}>{counted({ kind: "class", name: own })}</data>
          </button>
        ))}
      </div>
      <form onSubmit={add}>
        <input
          value={name}
          aria-label={text.addClassHint}
          placeholder={text.addClassHint}
          maxLength={80}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" disabled={name.trim() === ""}>
          {text.add}
        </button>
      </form>
      {model.classes.length >= 2 && !model.classes.includes(BACKGROUND) && <p class="hint">{text.noneHint}</p>}
      <div class="rows others">
        {row({ kind: "all" }, text.allClips)}
        {counted({ kind: "none" }) > 0 && row({ kind: "none" }, text.noClass)}
        {counted({ kind: "aside" }) > 0 && row({ kind: "aside" }, text.setAside)}
        {counted({ kind: "removed" }) > 0 && row({ kind: "removed" }, text.removed)}
      </div>
      {filter.kind === "class" && <ClassTools key={filter.name} model={model} name={filter.name} choose={choose} />}
    </aside>
  )
}

/** Renames or removes the class that is shown. */
function ClassTools({ model, name, choose }: { model: Model; name: string; choose(filter: Filter): void }) {
  const [next, setNext] = useState(name)
  const own = model.clips.filter(({ label }) => label === name).map(({ id }) => id)
  const rename = (event: Event) => {
    event.preventDefault()
    const clean = next.trim()
    if (clean === "" || clean === name) return
    void model.attempt(async () => {
      await model.home.setClasses(model.classes.map((one) => (one === name ? clean : one)))
      if (own.length > 0) await model.home.change({ ids: own, label: clean })
      choose({ kind: "class", name: clean })
    })
  }
  const drop = () =>
    void model.attempt(async () => {
      if (own.length > 0) await model.label(own, null)
      await model.home.setClasses(model.classes.filter((one) => one !== name))
      choose({ kind: "all" })
    })
  return (
    <form class="class-tools" onSubmit={rename}>
      <input
        value={next}
        aria-label={text.rename}
        maxLength={80}
        onInput={(event) => setNext(event.currentTarget.value)}
      />
      <button type="submit" disabled={next.trim() === "" || next.trim() === name}>
        {text.rename}
      </button>
      <button type="button" class="danger" onClick={drop}>
        {text.removeClass}
      </button>
    </form>
  )
}
