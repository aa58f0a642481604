/** Keys of a screen. */

import { useEffect, useRef } from "preact/hooks"

/** Calls back for every key that is pressed, with what was drawn last in view. @param onKey says whether it took the key */
export function useKeys(onKey: (event: KeyboardEvent) => boolean): void {
  const latest = useRef(onKey)
  latest.current = onKey
  useEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if (latest.current(event)) event.preventDefault()
    }
    addEventListener("keydown", hear)
    return () => removeEventListener("keydown", hear)
  }, [])
}

/** Whether keys belong to the field, or the window over the page, that they are pressed in. */
export function isTyped({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLElement && target.closest("input,select,textarea,dialog") !== null
}
