// SPDX-License-Identifier: Apache-2.0
/**
 * Constraints of devices on memory. A {@link org.dmabuf.heap.constraint.Demand} is a condition of one device on a
 * buffer, {@link org.dmabuf.heap.constraint.HeapFacts} are the guarantees of one heap. A heap serves a set of devices
 * if its facts meet all of their demands.
 *
 * <p>Everything in this package is immutable, does no input or output, and can be used by any thread.
 *
 * <p>The operations on values and facts are public so that the broker, the broker for tests, probes, the shell and a
 * vendor's tests judge a heap alike. The operators are not public: a vendor's kind chooses one of them.
 *
 * <p>One grammar of texts serves configurations, service properties, the shell and JSON:
 *
 * <pre>
 * demand  = WHO KIND=VALUE [WHY]           /dev/video0 address=32bit dma_mask_bits of 0000:00:02.0
 * kind    = NAME OPERATOR FACT             bank one-of acme.bank
 * </pre>
 *
 * <p>WHO, KIND and VALUE contain no blanks. The operator of the kind decides the form of VALUE. {@code any} is a value
 * of every operator, and demands nothing.
 *
 * <table>
 * <caption>Operators</caption>
 * <tr><th>operator<th>form of VALUE<th>two demands together<th>a heap meets it if
 * <tr><td>{@code range}<td>{@code 0x0-0x3fffffff} with both ends included, or {@code 30bit}<td>the intersection; none
 *     if it is empty<td>its range is inside
 * <tr><td>{@code multiple}<td>a number<td>the least common multiple; none if it exceeds 63 bits<td>its number is a
 *     multiple
 * <tr><td>{@code at-most}<td>a number<td>the smaller<td>its number is not larger
 * <tr><td>{@code at-least}<td>a number<td>the larger<td>its number is not smaller
 * <tr><td>{@code one-of}<td>words separated by {@code ,}<td>the intersection; none if it is empty<td>all of its words
 *     are in the set
 * <tr><td>{@code none-of}<td>words separated by {@code ,}<td>the union<td>it has words, and none of them is in the set
 * <tr><td>{@code must}<td>{@code true}<td>both<td>it has the property
 * <tr><td>{@code lists}<td>{@code contiguous}, or pairs {@code ENTRIESxBYTES} separated by {@code ,}<td>both<td>for
 *     each pair, so many entries of at most so many bytes hold the buffer
 * </table>
 *
 * <p>A word consists of letters, digits and the characters {@code _.:/@-}. Each byte of another character is written as
 * {@code %} with two hexadecimal digits, for instance {@code linux%2Ccma}.
 *
 * <p>A number is decimal, hexadecimal with {@code 0x}, or decimal with the suffix K, M, G or T.
 */
@Export
@Version("1.0.0")
package org.dmabuf.heap.constraint;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
