// The journal of a page that may keep nothing in the browser: stores in memory, with what the journal uses of IndexedDB.

/** @typedef {IDBValidKey | IDBKeyRange} Wanted */

class MemoryStore {
  /** @param {string | string[]} keyPath */
  constructor(keyPath) {
    this.keyPath = keyPath;
    /** @type {{key: IDBValidKey, value: any}[]} */
    this.rows = [];
  }

  /** @param {any} value */
  put(value) {
    const { keyPath } = this;
    const key = Array.isArray(keyPath) ? keyPath.map((name) => value[name]) : value[keyPath];
    this.delete(key);
    this.rows.push({ key, value: structuredClone(value) });
    this.rows.sort((a, b) => indexedDB.cmp(a.key, b.key));
    return { result: key };
  }

  /** @param {Wanted} [wanted] */
  getAll(wanted) {
    return { result: this.rows.filter(({ key }) => wanted === undefined || isIn(key, wanted)).map(({ value }) => structuredClone(value)) };
  }

  /** @param {Wanted} wanted */
  delete(wanted) {
    this.rows = this.rows.filter(({ key }) => !isIn(key, wanted));
    return { result: undefined };
  }
}

/** @param {IDBValidKey} key @param {Wanted} wanted */
const isIn = (key, wanted) => (wanted instanceof IDBKeyRange ? wanted.includes(key) : indexedDB.cmp(key, wanted) === 0);

export class MemoryDatabase {
  /** @param {Record<string, string | string[]>} keys key paths by store */
  constructor(keys) {
    this.stores = Object.fromEntries(Object.entries(keys).map(([name, keyPath]) => [name, new MemoryStore(keyPath)]));
  }

  /** @param {string} name */
  objectStore(name) {
    return this.stores[name];
  }
}
