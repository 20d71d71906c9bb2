// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * The heap's place among heaps that a request does not name; higher is asked first. The component property {@code
 * heap.priority}, see {@link org.dmabuf.heap.HeapProperties#PRIORITY}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapPriority {
    /** {@return the value of {@code heap.priority}} */
    int value();
}
