/** Ids as people see them. */

/** An id of a cluster or replica as people see it: 14 hexadecimal digits; '' for 0. */
export function idText(id: number): string {
  return id === 0 ? '' : id.toString(16).padStart(14, '0');
}
