// SPDX-License-Identifier: Apache-2.0
/** Control socket of a running gateway: its state, and shells, for the gateway's own user and root. */
package org.dmabuf.heap.gateway.control;
