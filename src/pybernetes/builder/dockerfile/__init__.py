"""The Dockerfile's grammar (docker's Dockerfile reference, frontend 1.x). Pure: text in, values out.

Owns: lines, here-documents, flags, words, variables, stages.
Receives from: builder.
Sends to: nobody.
Never: knows what an instruction does.
"""
