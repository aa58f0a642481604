/** Clips come in, get classes, go out. */

import { useMemo, useRef, useState } from "preact/hooks"
import { text } from "../strings.ts"
import { ClassList, type Filter, matches } from "./classes.tsx"
import { Cutter } from "./cut.tsx"
import { type Found, filesOf } from "./drop.ts"
import { clipsOf, offer, saveFolder, zipped } from "./export.ts"
import { Grid } from "./grid.tsx"
import { isTyped, useKeys } from "./keys.ts"
import { colourOf, type Model } from "./model.ts"
import { Recorder } from "./record.tsx"
import { takeIn } from "./take-in.ts"

export function Collect({ model }: { model: Model }) {
  const [filter, setFilter] = useState<Filter>({ kind: "all" })
  const [query, search] = useState("")
  const [selected, select] = useState<ReadonlySet<string>>(new Set())
  const [open, show] = useState<"record" | { cut: string } | null>(null)
  const [taking, setTaking] = useState<{ done: number; all: number } | null>(null)
  const [over, setOver] = useState(false)
  const files = useRef<HTMLInputElement>(null)
  const directory = useRef<HTMLInputElement>(null)
  const shown = useMemo(
    () => model.clips.filter((clip) => matches(filter, clip) && clip.name.toLowerCase().includes(query.toLowerCase())),
    [model.clips, filter, query],
  )
  const ids = [...selected].filter((id) => shown.some((clip) => clip.id === id))

  // what is no longer seen is no longer chosen
  const choose = (next: Filter) => {
    setFilter(next)
    select(new Set())
  }
  const take = (found: Found[]) => takeIn(model, found, setTaking)
  const download = async () => offer(await zipped(clipsOf(model)), "clips.zip")
  const save = async () => {
    if (await saveFolder?.(clipsOf(model))) model.say(text.saved)
  }

  useKeys((event) => {
    if (open || isTyped(event)) return false
    if ((event.ctrlKey || event.metaKey) && event.key === "z") void model.undo()
    else if (event.ctrlKey || event.metaKey || event.altKey) return false
    else if (/^[1-9]$/.test(event.key) && ids.length > 0) {
      const label = model.classes[Number(event.key) - 1]
      if (label !== undefined) void model.label(ids, label)
    } else if (event.key === "0" && ids.length > 0) void model.label(ids, null)
    else if ((event.key === "Delete" || event.key === "Backspace") && ids.length > 0) {
      void model.remove(ids)
      select(new Set())
    } else if (event.key === "Escape") select(new Set())
    else return false
    return true
  })

  const onDrop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    if (event.dataTransfer) void filesOf(event.dataTransfer).then(take)
  }
  const ready = model.classes.length >= 1
  return (
    <section
      class={over ? "collect over" : "collect"}
      aria-label={text.screens.collect}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={(event) => event.relatedTarget === null && setOver(false)}
      onDrop={onDrop}
    >
      <ClassList model={model} filter={filter} choose={choose} />
      <div class="clips">
        <div class="tools">
          <button type="button" class="primary" disabled={!ready} onClick={() => show("record")}>
            <span class="dot" aria-hidden="true" />
            {text.record}
          </button>
          <button type="button" onClick={() => files.current?.click()}>
            {text.addFiles}
          </button>
          <button type="button" class="wide-only" onClick={() => directory.current?.click()}>
            {text.addFolder}
          </button>
          <input
            type="search"
            aria-label={text.search}
            placeholder={text.search}
            value={query}
            onInput={(event) => search(event.currentTarget.value)}
          />
          <input
            ref={files}
            type="file"
            hidden
            multiple
            accept="video/*,.mkv,.avi,.mov,.csv,.tsv,.jsonl"
            aria-label={text.addFiles}
            onChange={(event) => void take(listed(event.currentTarget))}
          />
          <input
            ref={directory}
            type="file"
            hidden
            multiple
            {...{ webkitdirectory: true }}
            aria-label={text.addFolder}
            onChange={(event) => void take(listed(event.currentTarget))}
          />
        </div>
        {taking && (
          <p class="taking" role="status">
            <progress value={taking.done} max={taking.all} aria-label={text.taking(taking.done, taking.all)} />
            {text.taking(taking.done, taking.all)}
          </p>
        )}
        {!taking && model.measuring && (
          <p class="taking" role="status">
            <progress
              value={model.measuring.done}
              max={Math.max(1, model.measuring.total)}
              aria-label={text.measuringClips(model.measuring.done, model.measuring.total)}
            />
            {text.measuringClips(model.measuring.done, model.measuring.total)}
          </p>
        )}
        {ids.length > 0 && (
          <div class="selection">
            <strong>{text.selected(ids.length)}</strong>
            {filter.kind === "removed" ? (
              <>
                <button type="button" onClick={() => void model.restore(ids)}>
                  {text.restore}
                </button>
                {model.home.erase && (
                  <button type="button" class="danger" onClick={() => void model.erase(ids)}>
                    {text.erase}
                  </button>
                )}
              </>
            ) : (
              <>
                <span class="labels">
                  {text.labelAs}
                  {model.classes.map((name, place) => (
                    <button
                      key={name}
                      type="button"
                      class="chip"
                      style={{ "--own": colourOf(place) }}
                      onClick={() => void model.label(ids, name)}
                    >
                      {place < 9 && <kbd>{place + 1}</kbd>} {name}
                    </button>
                  ))}
                </span>
                {ids.length === 1 && (
                  <button type="button" onClick={() => show({ cut: ids[0] })}>
                    {text.cut}
                  </button>
                )}
                <button type="button" class="danger" onClick={() => void model.remove(ids)}>
                  {text.remove}
                </button>
              </>
            )}
            <button type="button" onClick={() => select(new Set())}>
              {text.clearSelection}
            </button>
          </div>
        )}
        {model.present.length === 0 && filter.kind !== "removed" ? (
          <div class="empty">
            <h1>{text.emptyTitle}</h1>
            <p>
              {text.emptyBody} {text.staysHere[model.home.kind]}
            </p>
            <p class="drop wide-only">{text.drop}</p>
          </div>
        ) : (
          <>
            <h1 class="unseen">{text.screens.collect}</h1>
            {shown.length === 0 && <p class="empty">{text.nothingHere}</p>}
            <Grid model={model} clips={shown} selected={selected} select={select} cut={(id) => show({ cut: id })} />
            <p class="hint wide-only">{text.keysHint}</p>
            {model.home.kind === "page" && (
              <p class="actions">
                <button type="button" onClick={() => void model.attempt(download)}>
                  {text.exportClips}
                </button>
                {saveFolder && (
                  <button type="button" onClick={() => void model.attempt(save)}>
                    {text.saveFolder}
                  </button>
                )}
                <span class="hint">{text.exportHint}</span>
              </p>
            )}
          </>
        )}
      </div>
      {open === "record" && (
        <Recorder model={model} start={filter.kind === "class" ? filter.name : null} close={() => show(null)} />
      )}
      {open !== null && open !== "record" && <Cutter model={model} id={open.cut} close={() => show(null)} />}
    </section>
  )
}

function listed(input: HTMLInputElement): Found[] {
  const found = [...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name }))
  input.value = ""
  return found
}
