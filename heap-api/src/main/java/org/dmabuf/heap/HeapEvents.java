// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/**
 * Events that the broker posts to Event Admin, where the gateway has one. Event Admin delivers them asynchronously and
 * in order. Values are Strings and Longs. Keys are those of {@link HeapProperties} where one applies.
 *
 * <table>
 * <caption>Topics and the properties of their events</caption>
 * <tr><th>topic<th>when<th>properties
 * <tr><td>{@link #ARRIVED}<td>a heap serves<td>{@code heap.name}, {@link #BUNDLE}, {@link #BUFFERS}
 * <tr><td>{@link #DRAINING}<td>a heap takes no more requests<td>the same
 * <tr><td>{@link #DEPARTED}<td>a heap has left, or no longer serves because its properties changed; its buffers stay
 *     valid<td>the same
 * <tr><td>{@link #LOW_MEMORY}<td>a request failed because memory or a quota was exhausted; at most once a second for
 *     each heap <td>{@code heap.name}, {@link #CLIENT}, {@code dmabuf.size}, {@link #REASON}
 * <tr><td>{@link #LEAK}<td>a client lost a buffer without closing it, and the broker released it <td>{@code heap.name},
 *     {@link #CLIENT}, {@code dmabuf.name}, {@code dmabuf.size}, {@link #SITE}
 * <tr><td>{@link #LEAK}<td>a client lost more than five buffers in a minute: the rest of them, once a minute <td>{@link
 *     #CLIENT}, {@link #BUFFERS}, {@code dmabuf.size} of all of them
 * </table>
 *
 * <p>The events of one {@code heap.name} come in the order ARRIVED, DRAINING, DEPARTED, and then ARRIVED again.
 * DRAINING is missing when a heap ceases to serve because its properties changed. The last event of a name thus shows
 * whether a heap serves under that name, with one exception. When a second heap takes over the name of a draining heap,
 * its ARRIVED follows the DEPARTED of the first. The delay is at most {@code drain.ms}. A heap that was refused, or
 * that waits behind another heap with its name or id, has no events. Events of different names have no defined order.
 *
 * <p>A serving heap keeps its name and its id until it leaves or announces another name or id. A shadowed heap that
 * takes over, or a heap that changes its name or id, never displaces a third heap. It waits while the name or id is in
 * use. A request in progress is not served by a heap that no longer has a name in the request or an id in its mask.
 */
public final class HeapEvents {
    /** A heap serves. */
    public static final String ARRIVED = "org/dmabuf/heap/ARRIVED";
    /** A heap takes no more requests. */
    public static final String DRAINING = "org/dmabuf/heap/DRAINING";
    /** A heap has left; its buffers stay valid. */
    public static final String DEPARTED = "org/dmabuf/heap/DEPARTED";
    /** A request failed because memory or a quota was exhausted. */
    public static final String LOW_MEMORY = "org/dmabuf/heap/LOW_MEMORY";
    /** A buffer became unreachable without having been closed. */
    public static final String LEAK = "org/dmabuf/heap/LEAK";

    /** Symbolic name of the heap's bundle, under Event Admin's own key for it: String. */
    public static final String BUNDLE = "bundle.symbolicName";
    /** The client, as {@link ClientId#toString()}: String. */
    public static final String CLIENT = "dmabuf.client";
    /**
     * Number of buffers: of a heap, those referenced or mapped; of a leak report, lost buffers without an event of
     * their own: Long.
     */
    public static final String BUFFERS = "heap.buffers";
    /** Message of the request's failure: String. */
    public static final String REASON = "heap.reason";
    /** Where the buffer was allocated, empty when sites are not recorded: String. */
    public static final String SITE = "dmabuf.site";

    private HeapEvents() {}
}
