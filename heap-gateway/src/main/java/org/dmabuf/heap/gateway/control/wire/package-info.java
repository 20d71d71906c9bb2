// SPDX-License-Identifier: Apache-2.0
/** What a gateway and its client say to each other over the control socket, and where that is. Needs the JDK alone. */
package org.dmabuf.heap.gateway.control.wire;
