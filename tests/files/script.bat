@echo off
rem hello
dir /b
