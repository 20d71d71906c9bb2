// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Priority of the heap in a request that names no heaps; the highest is asked first. The component property
 * {@code heap.priority}, see {@link org.dmabuf.heap.HeapProperties#PRIORITY}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapPriority {
    /** {@return the value of {@code heap.priority}} */
    int value();
}
