// Lists as iterators over all items: the next page is read when it is needed.

interface Page<Item> {
  items: Item[]
  next_cursor: string | null
}

export async function* iteratePages<Item>(
  readPage: (cursor: string | undefined) => Promise<Page<Item>>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined
  do {
    const page = await readPage(cursor)
    yield* page.items
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
}
